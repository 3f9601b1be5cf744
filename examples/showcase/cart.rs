//! A cart: how many of which product.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::products::{self, Cents, Product};

/// The most of one product.
const MOST: u32 = 20;

/// Quantities by the product's id.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Cart(BTreeMap<u32, u32>);

/// A cart as a page or a client shows it.
#[derive(Serialize)]
pub struct Shown {
    lines: Vec<Line>,
    total: Cents,
}

#[derive(Serialize)]
struct Line {
    product: &'static Product,
    quantity: u32,
    price: Cents,
}

impl Cart {
    pub fn add(&mut self, product: u32, quantity: u32) {
        let before = self.0.entry(product).or_default();
        *before = before.saturating_add(quantity).min(MOST);
    }

    pub fn remove(&mut self, product: u32) {
        self.0.remove(&product);
    }

    pub fn count(&self) -> u32 {
        self.0.values().sum()
    }

    /// What is not sold any more is left out.
    pub fn shown(&self) -> Shown {
        let line = |(&id, &quantity): (&u32, &u32)| {
            let product = products::find(id)?;
            Some(Line { product, quantity, price: Cents(product.price.0 * quantity) })
        };
        let lines: Vec<_> = self.0.iter().filter_map(line).collect();
        let total = Cents(lines.iter().map(|line| line.price.0).sum());
        Shown { lines, total }
    }
}
