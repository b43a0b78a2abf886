//! The API as a page or a program meets it: a console with a store and a hub, asked without a socket.
#![allow(clippy::unwrap_used)]

mod accounts;
mod asking;
mod demo;
mod home;
mod keys;
mod many;
mod matrix;
mod metrics;
mod old_api;
mod openapi;
mod roles;
mod sessions;
mod streams;
mod urls;
mod weapp;
