//! Post-training quantization and calibration.
