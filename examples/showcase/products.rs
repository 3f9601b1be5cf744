//! What the shop sells.

use serde::{Serialize, Serializer};

#[derive(Clone, Copy)]
pub struct Cents(pub u32);

impl Serialize for Cents {
    /// As people read it: `€12.50`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("€{}.{:02}", self.0 / 100, self.0 % 100))
    }
}

#[derive(Serialize)]
pub struct Product {
    pub id: u32,
    /// Names its texts and its picture.
    pub name: &'static str,
    pub price: Cents,
}

const fn product(id: u32, name: &'static str, cents: u32) -> Product {
    Product { id, name, price: Cents(cents) }
}

pub const PRODUCTS: &[Product] = &[
    product(1, "teapot", 3450),
    product(2, "mug", 1280),
    product(3, "vase", 2690),
    product(4, "lamp", 7900),
    product(5, "notebook", 890),
    product(6, "plant", 1995),
];

pub fn find(id: u32) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.id == id)
}
