//! The drop order in edition 2018.

#[path = "../../drop_order.rs"]
mod drop_order;
