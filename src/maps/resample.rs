//! Maps cut out, padded, cropped, down- and upsampled.
