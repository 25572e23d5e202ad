use super::*;

fn edge_with(from: &str, to: &str) -> Result<Architecture, Error> {
    let text = Architecture::preset_text("edge").unwrap();
    assert!(text.contains(from), "{from}");
    Architecture::from_toml(&text.replacen(from, to, 1))
}

#[test]
fn every_preset_reads_and_is_the_design_it_is_said_to_be() {
    let shapes: Vec<_> = Architecture::preset_names()
        .into_iter()
        .map(|name| {
            let arch = Architecture::preset(name).unwrap();
            assert_eq!(arch.name, name);
            (name, arch.rows, arch.columns, arch.lanes, arch.branches)
        })
        .collect();
    let wanted = [
        ("tiny", 1, 1, 16, 1),
        ("edge", 4, 4, 16, 2),
        ("serial", 4, 8, 32, 2),
        ("segments", 4, 4, 32, 2),
        ("deep", 1, 8, 128, 3),
        ("wide", 4, 16, 64, 2),
    ];
    assert_eq!(shapes, wanted);
    assert_eq!(Architecture::preset("serial").unwrap().activation_bits_per_step, 1);
    assert_eq!(Architecture::preset("segments").unwrap().segments(), 2);
}

#[test]
fn bad_keys_are_refused_in_one_line_with_line_and_column() {
    for (from, to, wanted) in [
        ("rows = 4", "rows = 4\nrows = 5", "architecture, line 8, column 1: duplicate key"),
        (
            "rows = 4",
            "rows = 4\nrow = 5",
            "architecture, line 8, column 1: unknown field `row`, expected one of `rows`, `columns`, `clock_gating`",
        ),
        ("rows = 4\n", "", "architecture, line 6, column 1: missing field `rows`"),
        (
            "rows = 4",
            "rows = \"4\"",
            "architecture, line 7, column 8: invalid type: string \"4\", expected i64",
        ),
        (
            "[vector]",
            "[vectors]",
            "architecture, line 28, column 2: unknown field `vectors`, expected one of `format`, `name`, `clock_mhz`, `array`, `engine`, `depthwise`, `scaler`, `vector`",
        ),
        ("format = 1", "format = 2", "architecture: format must be 1, got 2"),
        ("format = 1", "", "architecture, line 1, column 1: missing field `format`"),
        (
            "\"flat\"",
            "\"both\"",
            "architecture, line 18, column 12: unknown variant `both`, expected `flat` or `tap`",
        ),
        (
            "rows = 4",
            "rows = 99999999999999999999",
            "architecture, line 7, column 8: invalid type: integer `99999999999999999999` as i128, expected i64",
        ),
    ] {
        let text = edge_with(from, to).unwrap_err().to_string();
        assert!(text.starts_with(wanted), "{text}\nis not\n{wanted}");
        assert!(!text.contains('\n'));
    }
}

/// What of preset `edge` is replaced, by what, and the refusal.
const OUT_OF_RANGE: [(&str, &str, &str); 21] = [
    ("rows = 4", "rows = 0", "array.rows must be between 1 and 1024, got 0"),
    ("rows = 4", "rows = -4", "array.rows must be at least 0, got -4"),
    (
        "rows = 4",
        "rows = 9223372036854775807",
        "array.rows must be between 1 and 1024, got 9223372036854775807",
    ),
    ("columns = 4", "columns = 1025", "array.columns must be between 1 and 1024, got 1025"),
    ("lanes = 16", "lanes = 24", "engine.lanes must be a power of two between 1 and 4096, got 24"),
    ("lanes = 16", "lanes = 0", "engine.lanes must be a power of two between 1 and 4096, got 0"),
    ("branches = 2", "branches = 9", "engine.branches must be between 1 and 8, got 9"),
    (
        "tree_levels_per_stage = 2",
        "tree_levels_per_stage = 0",
        "engine.tree_levels_per_stage must be between 1 and 12, got 0",
    ),
    (
        "activation_bits_per_step = 8",
        "activation_bits_per_step = 3",
        "engine.activation_bits_per_step must be a power of two between 1 and 8, got 3",
    ),
    (
        "accumulator_bits = 32",
        "accumulator_bits = 4294967328",
        "engine.accumulator_bits must be between 8 and 48, got 4294967295",
    ),
    (
        "mode = \"column\"",
        "mode = \"segments\"",
        "depthwise.mode = \"segments\" needs the key depthwise.segments",
    ),
    (
        "mode = \"column\"",
        "mode = \"column\"\nsegments = 2",
        "depthwise.segments goes with depthwise.mode = \"segments\" only",
    ),
    (
        "mode = \"column\"",
        "mode = \"segments\"\nsegments = 32",
        "depthwise.segments must be a power of two between 2 and 16, got 32",
    ),
    (
        "mode = \"column\"",
        "mode = \"segments\"\nsegments = 1",
        "depthwise.segments must be a power of two between 2 and 16, got 1",
    ),
    ("multipliers = 2", "multipliers = 0", "scaler.multipliers must be between 1 and 256, got 0"),
    (
        "scaler_stages = 4",
        "scaler_stages = 9",
        "scaler.scaler_stages must be between 1 and 8, got 9",
    ),
    ("scale_bits = 16", "scale_bits = 19", "scaler.scale_bits must be between 2 and 18, got 19"),
    (
        "latency_cycles = 4",
        "latency_cycles = 0",
        "vector.latency_cycles must be between 1 and 1024, got 0",
    ),
    ("clock_mhz = 400", "clock_mhz = nan", "clock_mhz must be between 0.001 and 100000, got NaN"),
    ("clock_mhz = 400", "clock_mhz = 0", "clock_mhz must be between 0.001 and 100000, got 0"),
    (
        "rows = 4\ncolumns = 4",
        "rows = 1000\ncolumns = 1000",
        "array.rows · array.columns must be between 1 and 65536, got 1000000",
    ),
];

#[test]
fn values_out_of_range_are_refused_by_key_limit_and_value() {
    for (from, to, wanted) in OUT_OF_RANGE {
        let text = edge_with(from, to).unwrap_err().to_string();
        let wanted = format!("architecture `edge`: {wanted}");
        assert_eq!(text, wanted);
    }
    let text = edge_with("name = \"edge\"", "name = \"a\\nb\"").unwrap_err().to_string();
    assert_eq!(text, "architecture `a\\nb`: control character in the name");
}

#[test]
fn tree_stages_by_hand() {
    let mut p = Architecture::preset("edge").unwrap().into_parameters();
    // 16 lanes have 4 levels; 2 segments of 8 have 3; 1 lane has none.
    for (lanes, segments, per_stage, stages) in [
        (16, 1, 1, 4),
        (16, 1, 2, 2),
        (16, 1, 3, 2),
        (16, 2, 2, 2),
        (16, 2, 3, 1),
        (1, 1, 2, 0),
        (8, 8, 1, 0),
    ] {
        (p.lanes, p.tree_levels_per_stage) = (lanes, per_stage);
        assert_eq!(p.tree_stages(segments), stages);
    }
}

#[test]
fn flip_flops_by_hand() {
    let mut p = Architecture::preset("edge").unwrap().into_parameters();
    (p.rows, p.columns, p.lanes, p.branches) = (2, 3, 8, 2);
    (p.tree_levels_per_stage, p.multipliers) = (3, 2);
    p.zero_trits = ZeroTrits::Gate;
    p.depthwise = DepthwiseMode::Segments(2);
    let wanted = FlipFlops {
        activation_bus: 2 * 8 * 8,
        weight_bus: 3 * 2 * 8 * 2 * 2,
        operand: 6 * 2 * 8 * 8,
        // Level 3: one sum of 12 bits. The segments leave at level 2: two sums of 11 bits.
        tree: 6 * 2 * (12 + 2 * 11),
        accumulator: 6 * 2 * 2 * 32,
        shadow: 6 * 2 * 2 * 32,
        scaler: 3 * 2 * (32 + 16 + 3 * 48),
        partial: 6 * 2 * 48,
    };
    let arch = Architecture::new(p).unwrap();
    assert_eq!(*arch.flip_flops(), wanted);
    assert_eq!(arch.tree_flip_flops(1), 12);
    assert_eq!(arch.tree_flip_flops(2), 22);
}
