"""Serves a GGUF model through an OpenAI-compatible API on 127.0.0.1. Usage: serve_llm.py MODEL.gguf [PORT]

Prints "ready: http://127.0.0.1:PORT/v1" when it answers, and ends when its standard input is closed or with Ctrl-C.
Answers are the most likely ones (temperature 0) unless a request says otherwise.
"""

import sys
import time
import urllib.error
import urllib.request

import xllamacpp

# Gemma's turns. It has no system role: system messages go in front of the next user message. The file's own template
# is none of these, and with it the model does not answer at all.
TEMPLATE = """\
{{- bos_token -}}
{%- set ns = namespace(system='') -%}
{%- for message in messages -%}
    {%- if message.content is string -%}
        {%- set text = message.content -%}
    {%- else -%}
        {%- set text = message.content | map(attribute='text') | join('\n') -%}
    {%- endif -%}
    {%- if message.role in ['system', 'developer'] -%}
        {%- set ns.system = ns.system + text | trim + '\n\n' -%}
    {%- elif message.role == 'assistant' -%}
        {{- '<start_of_turn>model\n' + text | trim + '<end_of_turn>\n' -}}
    {%- else -%}
        {{- '<start_of_turn>user\n' + ns.system + text | trim + '<end_of_turn>\n' -}}
        {%- set ns.system = '' -%}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<start_of_turn>model\n' -}}
{%- endif -%}
"""

model = sys.argv[1]
port = int(sys.argv[2]) if len(sys.argv) > 2 else 0

parameters = xllamacpp.CommonParams()
parameters.model.path = model
parameters.model_alias = {"gemma-3-270m"}
parameters.hostnames = ["127.0.0.1"]
parameters.port = port
parameters.n_ctx = 8192
parameters.n_parallel = 1
parameters.use_jinja = True
parameters.chat_template = TEMPLATE
parameters.sampling.temp = 0.0
parameters.verbosity = 1

server = xllamacpp.Server(parameters)
while True:  # It listens before the model is loaded, and answers 503 until then.
    try:
        urllib.request.urlopen(f"{server.listening_address}/health").close()
        break
    except urllib.error.URLError:
        time.sleep(0.02)
print(f"ready: {server.listening_address}/v1", flush=True)
try:
    sys.stdin.read()
except KeyboardInterrupt:
    pass
