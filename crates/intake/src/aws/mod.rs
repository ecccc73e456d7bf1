//! Pulls from AWS: files that S3 announces through SQS, and CloudWatch Logs groups.
//!
//! Requests are signed here ([`sign`]) rather than by AWS's client, which would bring an async runtime and some hundred
//! crates; four calls are needed. A message is deleted and a position moved on only when the journal has what came.

mod client;
mod credentials;
mod logs;
pub mod sign;
mod sqs;

use thiserror::Error;

pub use client::{Client, Endpoint};
pub use credentials::Credentials;
pub use logs::LogGroup;
pub use sqs::Queue;

/// Why a pull failed.
#[derive(Debug, Error)]
pub enum AwsError {
    /// No credentials were found anywhere.
    #[error(
        "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is given (IRSA, Pod Identity, an instance profile)"
    )]
    NoCredentials,
    /// The place that gives credentials did not.
    #[error("credentials from {0}: {1}")]
    Credentials(&'static str, String),
    /// The request did not get an answer.
    #[error("{0}")]
    Transport(String, #[source] Box<ureq::Error>),
    /// AWS refused.
    #[error("{call}: AWS answered {status}: {text}")]
    Refused {
        /// What was asked.
        call: String,
        /// HTTP status.
        status: u16,
        /// The beginning of the answer.
        text: String,
    },
    /// An answer that makes no sense.
    #[error("{0}: the answer is not what AWS documents")]
    Answer(String),
    /// The journal has no room; what came is asked for again later.
    #[error("{0}")]
    Journal(String),
}
