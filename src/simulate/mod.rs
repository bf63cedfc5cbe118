//! Simulated data: Poisson counts of predicted maps, events, a survey with known sources, and surveys as plain arrays.

mod datasets;
mod events;
mod fake;
mod survey_field;
pub mod synthetic;

pub use events::{ComponentEvents, EventSampler, EventSamplerOptions};
pub use fake::fake_counts;
pub use survey_field::{InjectedSource, SPECTRAL_INDEX, SurveyField, survey_field};
