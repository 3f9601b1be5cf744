//! The nodes of each definition, started once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::scenario::Settings;
use crate::world::World;

#[derive(Default)]
pub struct Worlds(HashMap<Settings, Arc<World>>);

impl Worlds {
    pub async fn of(&mut self, settings: Settings) -> Arc<World> {
        if let Some(world) = self.0.get(&settings) {
            return Arc::clone(world);
        }
        let world = World::new(settings).await;
        self.0.insert(settings, Arc::clone(&world));
        world
    }
}
