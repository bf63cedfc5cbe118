// The polynomial L(x) of a wing: `terms[k - 1]` is the coefficient of x^k.

const TERMS: u32 = 8u;

var<private> terms: array<f32, 8>;
var<private> shifted: array<f32, 8>;

// Taylor's shift to x by repeated synthetic division: shifted[j] becomes the coefficient of d^(j + 1). Returns the
// constant, L(x) (less x M where the first term has it).
fn shift_to(x: f32) -> f32 {
    var carry = 0.0;
    for (var k = TERMS; k > 0u; k--) {
        carry = terms[k - 1u] + carry * x;
        shifted[k - 1u] = carry;
    }
    let value = carry * x;
    for (var j = 0u; j < TERMS; j++) {
        carry = 0.0;
        for (var k = TERMS; k > j; k--) {
            carry = shifted[k - 1u] + carry * x;
            shifted[k - 1u] = carry;
        }
    }
    return value;
}
