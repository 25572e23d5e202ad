//! Is damage to a checkpoint noticed?

use super::*;
use crate::checkpoint;

/// A checkpoint of before digests were kept.
pub(super) fn without_digest(bytes: &[u8]) -> Vec<u8> {
    let key = checkpoint::DIGEST_KEY.as_bytes();
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at] = b'X';
    bytes
}

#[test]
fn a_checkpoint_with_a_flipped_bit_is_refused() {
    let set = set();
    let data = borrowed(&set);
    let mut trainer = Trainer::new(texts("layer"), None, &data).unwrap();
    run(&mut trainer, &data, 1);
    let bytes = trainer.to_bytes();
    let end = bytes.len();
    // The lowest bit of a weight's first byte, and a letter of the plan.
    let letter = bytes.windows(13).position(|window| window == b"learning_rate").unwrap();
    for (at, flip) in [(end - 4, 1), (end / 2 / 4 * 4, 1), (letter, 0x20)] {
        let mut flipped = bytes.clone();
        flipped[at] ^= flip;
        let error = Trainer::resume(&flipped).err().unwrap().to_string();
        assert!(error.starts_with("checkpoint: the digest of its contents must be "), "{error}");
        assert!(crate::import::Checkpoint::read(&flipped).is_err());
    }
    // Checkpoints of before digests were kept go on.
    let mut old = Trainer::resume(&without_digest(&bytes)).unwrap();
    assert!(old.to_bytes() == bytes);
}
