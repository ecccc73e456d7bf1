//! HTTP: connections, requests and answers; which handler runs, and whether it may.

pub(crate) mod call;
pub(crate) mod connection;
pub(crate) mod dispatch;
pub(crate) mod limits;
pub(crate) mod pipe;
pub(crate) mod route;
pub(crate) mod ui;
