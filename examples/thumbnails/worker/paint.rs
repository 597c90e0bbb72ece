//! Pictures for the sample set: a formula each, from a place to a colour.

use std::f32::consts::{PI, TAU};
use std::path::PathBuf;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};

pub(crate) struct Picture {
    pub(crate) name: &'static str,
    size: (u32, u32),
    /// x grows to the right and y upwards; the shorter side goes from -1 to 1.
    colour: fn(f32, f32) -> Colour,
}

/// Red, green and blue, from 0 to 1.
type Colour = [f32; 3];

/// Every format that the decoders know and that one would meet, in the shapes that cameras and people make.
pub(crate) const PICTURES: &[Picture] = &[
    picture("fractals/mandelbrot.png", 1200, 900, |x, y| mandelbrot(x * 1.25 - 0.6, y * 1.25, 90, 0.5)),
    picture("fractals/seahorses.jpg", 1200, 900, |x, y| mandelbrot(x * 0.0055 - 0.7463, y * 0.0055 + 0.1102, 400, 0.3)),
    picture("fractals/spiral.jpg", 900, 900, |x, y| mandelbrot(x * 0.0025 - 0.7435, y * 0.0025 + 0.1314, 500, 0.62)),
    picture("fractals/dendrite.png", 1200, 900, |x, y| julia(x * 1.2, y * 1.2, (0.0, 1.0), 0.55)),
    picture("fractals/cauliflower.webp", 900, 900, |x, y| julia(x * 1.25, y * 1.25, (-0.4, 0.6), 0.1)),
    picture("fractals/dragon.bmp", 1200, 800, |x, y| julia(x * 1.1, y * 1.1, (-0.8, 0.156), 0.8)),
    picture("fractals/rabbit.tiff", 900, 900, |x, y| julia(x * 1.3, y * 1.3, (-0.123, 0.745), 0.35)),
    picture("fractals/newton.png", 900, 900, newton),
    picture("fractals/burning ship.jpg", 1200, 900, burning_ship),
    picture("landscapes/dawn.jpg", 1200, 800, |x, y| hills(x, y, 1.0, [0.98, 0.62, 0.42], [0.33, 0.42, 0.68])),
    picture("landscapes/dusk.jpg", 1200, 800, |x, y| hills(x, y, 2.0, [0.95, 0.42, 0.36], [0.17, 0.13, 0.36])),
    picture("landscapes/noon.webp", 800, 1200, |x, y| hills(x, y, 3.0, [0.86, 0.94, 0.98], [0.25, 0.55, 0.86])),
    picture("landscapes/panorama.jpg", 2400, 600, |x, y| hills(x, y, 4.0, [0.99, 0.83, 0.55], [0.36, 0.62, 0.72])),
    picture("landscapes/night.pnm", 1200, 800, |x, y| hills(x, y, 5.0, [0.24, 0.32, 0.5], [0.02, 0.03, 0.1])),
    picture("patterns/marble.png", 1200, 900, |x, y| marble(x, y, 0.0)),
    picture("patterns/lava.jpg", 1200, 900, |x, y| marble(x, y, 0.5)),
    picture("patterns/cells.gif", 800, 600, cells),
    picture("patterns/sunflower.tga", 900, 900, sunflower),
    picture("patterns/ripples.qoi", 1200, 900, ripples),
    picture("patterns/tiles.bmp", 1000, 1000, tiles),
    picture("objects/balls.png", 1200, 900, balls),
    picture("objects/wheel.png", 900, 900, wheel),
    picture("objects/icon.ico", 64, 64, wheel),
];

const fn picture(name: &'static str, width: u32, height: u32, colour: fn(f32, f32) -> Colour) -> Picture {
    Picture { name, size: (width, height), colour }
}

/// The error is text, because it travels.
pub(crate) fn paint((index, to): (usize, PathBuf)) -> Result<(), String> {
    let Picture { size: (width, height), colour, .. } = PICTURES[index];
    let scale = 2.0 / width.min(height) as f32;
    let image = RgbaImage::from_fn(width, height, |column, row| {
        let x = (column as f32 + 0.5 - width as f32 / 2.0) * scale;
        let y = (height as f32 / 2.0 - row as f32 - 0.5) * scale;
        let [r, g, b] = colour(x, y);
        // A NaN is nowhere: it becomes a hole in the picture.
        let alpha = if r.is_nan() { 0 } else { 255 };
        let [r, g, b] = [r, g, b].map(|channel| (channel.clamp(0.0, 1.0) * 255.0) as u8);
        Rgba([r, g, b, alpha])
    });
    let image = DynamicImage::from(image);
    let transparent = matches!(ImageFormat::from_path(&to), Ok(ImageFormat::Png | ImageFormat::Ico));
    let image = if transparent { image } else { image.into_rgb8().into() };
    image.save(&to).map_err(|error| format!("cannot write {}: {error}", to.display()))
}

const NOTHING: Colour = [f32::NAN; 3];

fn mix(from: Colour, to: Colour, t: f32) -> Colour {
    let t = t.clamp(0.0, 1.0);
    std::array::from_fn(|i| from[i] * (1.0 - t) + to[i] * t)
}

fn scale(colour: Colour, by: f32) -> Colour {
    colour.map(|channel| channel * by)
}

/// A walk through neighbouring colours that comes back to where it began.
fn palette(t: f32, hue: f32) -> Colour {
    [0.0, 0.1, 0.2].map(|shift| 0.5 + 0.5 * (TAU * (t + hue + shift)).cos())
}

/// Steps until the point is far away, smoothed; `None` if it stays.
fn escape(mut z: (f32, f32), c: (f32, f32), most: u32, fold: fn(f32) -> f32) -> Option<f32> {
    for n in 0..most {
        let norm = z.0 * z.0 + z.1 * z.1;
        if norm > 256.0 {
            return Some(n as f32 + 4.0 - norm.ln().log2());
        }
        z = (fold(z.0), fold(z.1));
        z = (z.0 * z.0 - z.1 * z.1 + c.0, 2.0 * z.0 * z.1 + c.1);
    }
    None
}

fn mandelbrot(x: f32, y: f32, most: u32, hue: f32) -> Colour {
    match escape((0.0, 0.0), (x, y), most, |v| v) {
        Some(n) => scale(palette((n.max(0.0) / 6.0).sqrt() * 0.45 + 0.5, hue), (n / 5.0 + 0.2).min(1.0)),
        None => [0.02, 0.02, 0.05],
    }
}

fn julia(x: f32, y: f32, c: (f32, f32), hue: f32) -> Colour {
    match escape((x, y), c, 250, |v| v) {
        Some(n) => scale(palette(n.max(0.0).sqrt() * 0.16 + 0.5, hue), (n / 12.0 + 0.15).min(1.0)),
        None => [0.03, 0.02, 0.06],
    }
}

fn burning_ship(x: f32, y: f32) -> Colour {
    match escape((0.0, 0.0), (x * 0.05 - 1.762, -y * 0.05 - 0.028), 150, f32::abs) {
        Some(n) => {
            let heat = (n.max(0.0) / 40.0).powf(0.8);
            [heat * 2.2, heat * heat * 1.6, heat.powi(4)]
        }
        None => [0.05, 0.02, 0.03],
    }
}

/// Which root of z³ = 1 Newton's method finds, and how soon.
fn newton(x: f32, y: f32) -> Colour {
    let (mut a, mut b, mut steps) = (x * 1.4, y * 1.4, 0.0);
    for _ in 0..40 {
        let (a2, b2) = (a * a - b * b, 2.0 * a * b);
        let norm = 3.0 * (a2 * a2 + b2 * b2) + 1e-12;
        // z - (z³ - 1) / 3z² = 2z/3 + 1 / 3z²
        let (next_a, next_b) = (2.0 * a / 3.0 + a2 / norm, 2.0 * b / 3.0 - b2 / norm);
        let moved = (next_a - a).hypot(next_b - b);
        (a, b) = (next_a, next_b);
        steps += (moved * 8.0).min(1.0);
        if moved < 1e-3 {
            break;
        }
    }
    let root = if a > 0.5 {
        [0.96, 0.55, 0.3]
    } else if b > 0.0 {
        [0.2, 0.66, 0.72]
    } else {
        [0.44, 0.32, 0.72]
    };
    mix(root, [0.04, 0.04, 0.1], steps / 11.0)
}

/// A number from 0 to 1 that depends on its arguments and on nothing else.
fn hash(x: f32, y: f32) -> f32 {
    let mut n = (x as i32 as u32).wrapping_mul(0x8DA6_B343) ^ (y as i32 as u32).wrapping_mul(0xD816_3841);
    n = (n ^ (n >> 15)).wrapping_mul(0x2C1B_3C6D);
    n = (n ^ (n >> 12)).wrapping_mul(0x297A_2D39);
    (n ^ (n >> 15)) as f32 / u32::MAX as f32
}

/// Random at whole numbers, and smooth between them.
fn noise(x: f32, y: f32) -> f32 {
    let (left, bottom) = (x.floor(), y.floor());
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (smooth(x - left), smooth(y - bottom));
    let between = |y| hash(left, y) * (1.0 - u) + hash(left + 1.0, y) * u;
    between(bottom) * (1.0 - v) + between(bottom + 1.0) * v
}

/// Noise with finer noise on top of it, and so on.
fn roughness(x: f32, y: f32, octaves: i32) -> f32 {
    (0..octaves).map(|i| noise(x * 2_f32.powi(i) + 17.0 * i as f32, y * 2_f32.powi(i)) / 2_f32.powi(i + 1)).sum()
}

/// Ridges behind ridges, each paler than the one in front of it, and a sun.
fn hills(x: f32, y: f32, seed: f32, horizon: Colour, zenith: Colour) -> Colour {
    for near in [1.0, 0.8, 0.6, 0.4, 0.2, 0.0] {
        let (highest, lowest, steep) = (0.95 - 0.35 * near, -0.3 - 0.75 * near, 2.5 - 1.3 * near);
        // Looking at the noise is slow, and there is none above the highest peak.
        if y < lowest + highest
            && y < lowest + highest * roughness(x * steep + seed * 31.0 + near * 57.0, seed + near * 9.0, 6)
        {
            return mix(mix(horizon, zenith, 0.25), scale(zenith, 0.28), 0.12 + near * 0.88);
        }
    }
    let sun = (x - 0.45 * (seed * 2.4).sin()).hypot(y - 0.42);
    let light = (0.012 / (sun * sun + 0.004)).min(1.0);
    let sky = mix(horizon, zenith, (y + 0.1).max(0.0).powf(0.7));
    mix(sky, [1.0, 0.95, 0.82], if sun < 0.11 { 1.0 } else { light * 0.55 })
}

fn marble(x: f32, y: f32, heat: f32) -> Colour {
    let (x, y) = (x * 1.5 + 9.0, y * 1.5 + 5.0);
    let (p, q) = (roughness(x, y, 4), roughness(x + 5.2, y + 1.3, 4));
    let (r, s) = (roughness(x + 4.0 * p, y + 4.0 * q, 4), roughness(x + 4.0 * q + 8.3, y + 4.0 * p + 2.8, 4));
    let t = roughness(x + 4.0 * r, y + 4.0 * s, 5);
    if heat > 0.0 {
        let glow = ((t - 0.25) * 2.1).clamp(0.0, 1.0).powf(1.6) + (r - 0.5).max(0.0) * 0.8;
        return [glow * 2.4, glow * glow * 1.7, glow.powi(4) * 0.9];
    }
    let stone = mix([0.07, 0.16, 0.24], [0.93, 0.89, 0.8], (t - 0.2) * 1.9);
    mix(stone, [0.78, 0.46, 0.22], ((s - 0.45) * 2.6).clamp(0.0, 0.65))
}

/// Cells around points that are strewn over a grid, one a square.
fn cells(x: f32, y: f32) -> Colour {
    let (x, y) = (x * 4.0 + 20.0, y * 4.0 + 20.0);
    let (mut nearest, mut second, mut owner) = (9.0_f32, 9.0_f32, 0.0);
    for (i, j) in (-1..=1).flat_map(|i| (-1..=1).map(move |j| (i as f32, j as f32))) {
        let (column, row) = (x.floor() + i, y.floor() + j);
        let distance = (column + hash(column, row) - x).hypot(row + hash(row + 71.0, column) - y);
        if distance < nearest {
            (second, nearest, owner) = (nearest, distance, hash(column + 3.0, row + 7.0));
        } else {
            second = second.min(distance);
        }
    }
    let wall = ((second - nearest) * 9.0).min(1.0);
    scale(mix(palette(owner * 0.35, 0.55), [1.0, 0.98, 0.9], 0.25 - nearest * 0.3), wall * (1.0 - nearest * 0.45))
}

/// Seeds at the golden angle.
fn sunflower(x: f32, y: f32) -> Colour {
    const SEEDS: i32 = 420;
    let radius = x.hypot(y);
    let ground = mix([0.1, 0.13, 0.12], [0.03, 0.05, 0.06], radius);
    // Only seeds at about this distance from the middle can be the nearest one.
    let about = ((radius / 0.95).powi(2) * SEEDS as f32) as i32;
    let mut colour = ground;
    for n in (about - 45).max(1)..(about + 45).min(SEEDS) {
        let (angle, out) = (n as f32 * PI * (3.0 - 5_f32.sqrt()), 0.95 * (n as f32 / SEEDS as f32).sqrt());
        let size = 0.018 + 0.022 * out;
        let distance = (x - out * angle.cos()).hypot(y - out * angle.sin()) / size;
        if distance < 1.0 {
            let seed = mix([0.98, 0.83, 0.3], [0.85, 0.3, 0.16], out * 1.1);
            colour = mix(seed, ground, distance.powi(3));
        }
    }
    colour
}

/// Waves from three places.
fn ripples(x: f32, y: f32) -> Colour {
    let wave = |from_x: f32, from_y: f32| ((x - from_x).hypot(y - from_y) * 26.0).cos();
    let height = (wave(-0.7, -0.4) + wave(0.8, -0.1) + wave(-0.1, 0.8)) / 3.0;
    let deep = mix([0.02, 0.1, 0.24], [0.1, 0.6, 0.66], height * 0.5 + 0.5);
    mix(deep, [0.95, 1.0, 0.95], (height - 0.45) * 1.6)
}

/// Quarter circles, turned at random: Truchet's tiles.
fn tiles(x: f32, y: f32) -> Colour {
    let (x, y) = (x * 5.0 + 30.0, y * 5.0 + 30.0);
    let (column, row) = (x.floor(), y.floor());
    let (mut u, v) = (x - column, y - row);
    if hash(column, row) < 0.5 {
        u = 1.0 - u;
    }
    let to_arc = |u: f32, v: f32| (u.hypot(v) - 0.5).abs();
    let distance = to_arc(u, v).min(to_arc(1.0 - u, 1.0 - v));
    let ground = mix([0.93, 0.88, 0.78], [0.86, 0.79, 0.68], noise(x * 7.0, y * 7.0));
    let band = mix([0.09, 0.28, 0.36], [0.75, 0.3, 0.22], (roughness(x * 0.3, y * 0.3, 2) - 0.2) * 2.0);
    mix(band, ground, (distance - 0.16) * 40.0)
}

/// Three balls on a chequered floor, by ray.
fn balls(x: f32, y: f32) -> Colour {
    const BALLS: [([f32; 3], f32, Colour); 3] = [
        ([-0.95, 0.6, 4.0], 0.6, [0.9, 0.3, 0.25]),
        ([0.25, 0.85, 4.9], 0.85, [0.95, 0.75, 0.3]),
        ([1.15, 0.42, 3.5], 0.42, [0.25, 0.55, 0.85]),
    ];
    const SUN: [f32; 3] = [-0.48, 0.72, -0.5];
    let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let along = |from: [f32; 3], way: [f32; 3], t: f32| std::array::from_fn::<f32, 3, _>(|i| from[i] + way[i] * t);
    let hit = |from: [f32; 3], way: [f32; 3]| {
        let at = BALLS.iter().filter_map(|(middle, radius, colour)| {
            let off = along(from, *middle, -1.0);
            let half = dot(off, way);
            let root = half * half - dot(off, off) + radius * radius;
            let t = -half - root.max(0.0).sqrt();
            (root > 0.0 && t > 0.001).then_some((t, *middle, *radius, *colour))
        });
        at.min_by(|a, b| a.0.total_cmp(&b.0))
    };
    let sky = |way: [f32; 3]| mix([0.86, 0.91, 0.95], [0.33, 0.53, 0.78], way[1] * 1.6);
    let floor = |from: [f32; 3], way: [f32; 3]| {
        let t = -from[1] / way[1];
        if way[1] >= 0.0 || t > 60.0 {
            return sky(way);
        }
        let place = along(from, way, t);
        let even = (place[0].floor() + place[2].floor()).rem_euclid(2.0) < 1.0;
        let square = if even { [0.9, 0.88, 0.84] } else { [0.3, 0.33, 0.38] };
        let lit = if hit(place, SUN).is_some() { 0.4 } else { 1.0 };
        mix(scale(square, lit), sky([0.0; 3]), t / 40.0)
    };

    let eye = [0.0, 1.1, 0.0];
    let look = [x, y - 0.25, 2.4];
    let way = scale(look, 1.0 / dot(look, look).sqrt());
    let Some((t, middle, radius, colour)) = hit(eye, way) else { return floor(eye, way) };
    let place = along(eye, way, t);
    let normal = along(place, middle, -1.0).map(|part| part / radius);
    let mirrored = along(way, normal, -2.0 * dot(way, normal));
    let lit = if hit(place, SUN).is_some() { 0.0 } else { dot(normal, SUN).max(0.0) };
    let seen = hit(place, mirrored).map_or_else(|| floor(place, mirrored), |(.., colour)| scale(colour, 0.6));
    let matt = scale(colour, 0.22 + 0.8 * lit);
    let shine = dot(mirrored, SUN).max(0.0).powi(120) * lit.signum() * 0.8;
    mix(mix(matt, seen, 0.22), [1.0; 3], shine)
}

/// All hues in a ring, and nothing outside of it.
fn wheel(x: f32, y: f32) -> Colour {
    let (radius, angle) = (x.hypot(y), y.atan2(x));
    if !(0.42..0.92).contains(&radius) {
        return NOTHING;
    }
    let hue = [0.0, 2.0, 4.0].map(|shift| ((angle / TAU * 6.0 + shift).rem_euclid(6.0) - 3.0).abs() - 1.0);
    mix([1.0; 3], hue.map(|channel| channel.clamp(0.0, 1.0)), (radius - 0.42) * 3.0)
}
