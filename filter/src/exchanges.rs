//! The requests under way in a VM, by the numbers of their contexts.

use std::collections::HashMap;

use policy::hash::Mixer;

use crate::http::Exchange;

/// The number of exchanges that have a place of their own, found by the last digits of the
/// context's number: Envoy counts contexts up, so that as many requests as this can be under way
/// before two meet.
const PLACES: usize = 1_024;

/// The number of a context, and its request.
type Place = Option<(u32, Box<Exchange>)>;

/// The requests under way. One whose place is taken is in a map.
pub(crate) struct Exchanges {
    places: Box<[Place]>,
    others: HashMap<u32, Box<Exchange>, Mixer>,
}

impl Default for Exchanges {
    fn default() -> Self {
        Self {
            places: std::iter::repeat_with(|| None).take(PLACES).collect(),
            others: HashMap::default(),
        }
    }
}

/// Returns the place of a context.
fn at(context: u32) -> usize {
    usize::try_from(context).unwrap_or(0) % PLACES
}

impl Exchanges {
    /// The one of a context, which may begin by this.
    pub(crate) fn begin(&mut self, context: u32) -> &mut Exchange {
        match self.places.get_mut(at(context)) {
            Some(place) if place.as_ref().is_none_or(|(known, _)| *known == context) => {
                // One that has come here before is in the map if the place was taken then.
                let begin = || (context, self.others.remove(&context).unwrap_or_default());
                &mut place.get_or_insert_with(begin).1
            }
            _ => self.others.entry(context).or_default(),
        }
    }

    /// The one of a context.
    pub(crate) fn get_mut(&mut self, context: u32) -> Option<&mut Exchange> {
        match self.places.get_mut(at(context)) {
            Some(Some((known, exchange))) if *known == context => Some(exchange),
            _ => self.others.get_mut(&context).map(|exchange| &mut **exchange),
        }
    }

    /// Takes out the one of a context.
    pub(crate) fn remove(&mut self, context: u32) -> Option<Box<Exchange>> {
        match self.places.get_mut(at(context)) {
            Some(place @ Some(_)) if place.as_ref().is_some_and(|(known, _)| *known == context) => {
                place.take().map(|(_, exchange)| exchange)
            }
            _ => self.others.remove(&context),
        }
    }
}
