//! `C_C`, `C_S`, `C_R`, `C_M` of a network, on no machine.
