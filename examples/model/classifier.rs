//! A small classifier: logistic regression, trained by stochastic gradient descent.

use std::io;
use std::path::Path;

use crate::digits::{Picture, Random, SIDE};

const INPUTS: usize = SIDE * SIDE + 1; // the last one is always 1
const CLASSES: usize = 10;

pub(crate) struct Classifier {
    /// For each digit, one for each input.
    weights: Vec<f32>,
}

impl Classifier {
    pub(crate) fn train(examples: &[(Picture, u8)]) -> Self {
        const STEPS: usize = 60_000;
        let (mut model, mut random) = (Self { weights: vec![0.0; INPUTS * CLASSES] }, Random(3));
        for step in 0..STEPS {
            let (picture, label) = &examples[random.below(examples.len())];
            let rate = 0.2 * (1.0 - step as f32 / STEPS as f32);
            let shares = model.shares(picture);
            for (digit, share) in shares.into_iter().enumerate() {
                let error = share - f32::from(u8::from(digit == usize::from(*label)));
                let weights = &mut model.weights[digit * INPUTS..][..INPUTS];
                for (weight, input) in weights.iter_mut().zip(inputs(picture)) {
                    *weight -= rate * error * input;
                }
            }
        }
        model
    }

    /// The digit that the picture most likely shows.
    pub(crate) fn digit(&self, picture: &Picture) -> u8 {
        let shares = self.shares(picture);
        (0..CLASSES as u8)
            .max_by(|a, b| shares[usize::from(*a)].total_cmp(&shares[usize::from(*b)]))
            .unwrap_or_default()
    }

    /// How likely each digit is.
    fn shares(&self, picture: &Picture) -> [f32; CLASSES] {
        let mut scores = [0.0; CLASSES];
        for (score, weights) in scores.iter_mut().zip(self.weights.chunks_exact(INPUTS)) {
            *score = weights.iter().zip(inputs(picture)).map(|(weight, input)| weight * input).sum();
        }
        let highest = scores.iter().copied().fold(f32::MIN, f32::max);
        let likely = scores.map(|score| (score - highest).exp());
        let all: f32 = likely.iter().sum();
        likely.map(|one| one / all)
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, self.weights.iter().flat_map(|weight| weight.to_le_bytes()).collect::<Vec<u8>>())
    }

    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        if bytes.len() != 4 * INPUTS * CLASSES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is of another size"));
        }
        let weights = bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        Ok(Self { weights: weights.collect() })
    }
}

fn inputs(picture: &Picture) -> impl Iterator<Item = f32> {
    picture.0.iter().copied().chain([1.0])
}
