//! The drop order in edition 2024.

#[path = "../../drop_order.rs"]
mod drop_order;
