//! Simulated data: Poisson counts of predicted maps, and a survey with known sources.

mod fake;
mod survey_field;

pub use fake::fake_counts;
pub use survey_field::{InjectedSource, SurveyField, SPECTRAL_INDEX, survey_field};
