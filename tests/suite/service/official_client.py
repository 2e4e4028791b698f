"""Uses the service through KAITO's own client from PyPI. Usage: official_client.py BASE_URL PERSIST_ROOT [API_KEY]"""

import sys

from kaito_rag_engine_client import AuthenticatedClient, Client, models
from kaito_rag_engine_client.api.index import (
    create_index,
    delete_documents_in_index,
    delete_index,
    list_documents_in_index,
    list_indexes,
    load_index,
    persist_index,
    retrieve_index,
    update_documents_in_index,
)
from kaito_rag_engine_client.api.monitoring import get_health

base_url, persist_root, *keys = sys.argv[1:]


def connect(**options):
    if keys:
        return AuthenticatedClient(base_url=base_url, token=keys[0], **options)
    return Client(base_url=base_url, **options)


client = connect(raise_on_unexpected_status=True)


def document(text, doc_id="", **metadata):
    return models.Document(
        text=text, doc_id=doc_id, metadata=models.DocumentMetadataType0.from_dict(metadata)
    )


assert get_health.sync(client=client).status == "Healthy"
assert list_indexes.sync(client=client) == []

stored = create_index.sync(
    client=client,
    body=models.IndexRequest(
        index_name="library",
        documents=[
            document("The lighthouse keeper trimmed the lamp at dusk.", shelf="sea"),
            document("Bread rises because yeast makes carbon dioxide.", shelf="kitchen"),
        ],
    ),
)
assert [len(one.doc_id) for one in stored] == [64, 64], stored
assert list_indexes.sync(client=client) == ["library"]

listed = list_documents_in_index.sync("library", client=client, metadata_filter='{"shelf": "sea"}')
assert (listed.count, listed.total_items) == (1, 1), listed
assert listed.documents[0].doc_id == stored[0].doc_id

found = retrieve_index.sync(
    client=client,
    body=models.RetrieveRequest(index_name="library", query="why does dough grow", max_node_count=1),
)
assert found.count == 1 and "yeast" in found.results[0].text, found
assert found.results[0].dense_score > 0, found

changed = update_documents_in_index.sync(
    "library",
    client=client,
    body=models.UpdateDocumentRequest(
        documents=[
            document("The lighthouse was automated in 1982.", doc_id=stored[0].doc_id, shelf="sea"),
            document("Bread rises because yeast makes carbon dioxide.", doc_id=stored[1].doc_id, shelf="kitchen"),
            document("Nobody knows me.", doc_id="unknown"),
        ]
    ),
)
assert [one.doc_id for one in changed.updated_documents] == [stored[0].doc_id], changed
assert [one.doc_id for one in changed.unchanged_documents] == [stored[1].doc_id], changed
assert [one.doc_id for one in changed.not_found_documents] == ["unknown"], changed

persist_index.sync("library", client=client)
persist_index.sync("library", client=client, path=f"{persist_root}/custom")
deleted = delete_documents_in_index.sync(
    "library", client=client, body=models.DeleteDocumentRequest(doc_ids=[stored[1].doc_id, "unknown"])
)
assert deleted.deleted_doc_ids == [stored[1].doc_id], deleted
assert deleted.not_found_doc_ids == ["unknown"], deleted
assert list_documents_in_index.sync("library", client=client).total_items == 1

load_index.sync("library", client=client, overwrite=True)
assert list_documents_in_index.sync("library", client=client).total_items == 2
load_index.sync("copy", client=client, path=f"{persist_root}/custom")
assert list_indexes.sync(client=client) == ["library", "copy"]

delete_index.sync("library", client=client)
assert list_indexes.sync(client=client) == ["copy"]
missing = retrieve_index.sync_detailed(
    client=connect(), body=models.RetrieveRequest(index_name="library", query="x")
)
assert missing.status_code == 404, missing
if keys:
    refused = list_indexes.sync_detailed(client=Client(base_url=base_url))
    assert refused.status_code == 401, refused
print("the official client is satisfied")
