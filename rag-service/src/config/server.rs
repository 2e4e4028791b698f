//! Where and how to serve.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};

/// Address, logs and shutdown.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct ServerConfig {
    /// Address and port to listen on. Containers set 0.0.0.0:5000.
    #[arg(
        long,
        env = "RAG_LISTEN_ADDRESS",
        value_name = "RAG_LISTEN_ADDRESS",
        default_value = "127.0.0.1:5000"
    )]
    pub listen_address: SocketAddr,
    /// Form of the log lines. What is logged is set by RUST_LOG (default: info).
    #[arg(long, env = "RAG_LOG_FORMAT", value_name = "RAG_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// How long requests may go on after SIGTERM before they are cut off.
    #[arg(
        long,
        env = "RAG_SHUTDOWN_GRACE_SECONDS",
        value_name = "RAG_SHUTDOWN_GRACE_SECONDS",
        default_value_t = 25
    )]
    pub shutdown_grace_seconds: u64,
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
