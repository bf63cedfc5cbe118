//! Simulated data: Poisson counts of predicted maps, and a survey with known sources.

mod fake;
mod survey_field;

pub use fake::fake_counts;
pub use survey_field::{InjectedSource, SPECTRAL_INDEX, SurveyField, survey_field};
