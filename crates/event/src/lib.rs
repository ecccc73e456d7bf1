//! The vocabulary that every other room speaks: events and their parameters, fields and their values, priorities.
//!
//! Plain data without IO, clock or policy. What an event *means* (threads, descriptors, derived fields) is the business
//! of the state engine; what a rule asks is the business of the rules engine; both meet in [`Extract`].

mod alert;
pub mod boot;
mod extract;
mod field;
mod fields;
mod finding;
mod raw;
mod severity;
mod table;
mod types;
mod value;

pub use alert::{Alert, JsonKeys, json_string, write_utc};
pub use extract::{Extract, StateKey};
pub use field::{
    ArgKind, FieldArg, FieldClass, FieldError, FieldFlags, FieldId, FieldInfo, FieldRef, Scope,
    all as all_fields, class_of, classes,
};
pub use finding::{
    Action, Activity, ActivityKind, Clause, Finding, Outcome, Process, Record, SCHEMA, Severity,
    UnknownSeverity, record_id,
};
pub use raw::{EventBuf, MAX_PARAMS, Malformed, RawEvent, Via};
pub use severity::{Priority, UnknownPriority};
pub use types::{
    Category, EVENT_TYPES, EventFlags, EventInfo, EventType, ParamFormat, ParamInfo, ParamType,
};
pub use value::{Extracted, Value, Values};
