"""The least time that a card can take for a sentence: bytes over its bandwidth, and dependent stages times what one
takes at the least. What is counted, and the targets, are those of perf/gpu/README.md."""

from peers_stats import matrix_sizes

BYTES = {"bfloat16": 2, "int8": 1, "float32": 4}
# Stages that wait for each other: 5 in an encoder layer, 7 in a decoder layer, 2 more in a pass.
ENCODER_STAGES, DECODER_STAGES, PASS_STAGES = 5, 7, 2
STAGE_US = 0.9
# Read where the run measured none; a device-to-device copy of an H200, bytes read and written.
COPY_GB = 4300.0

# Microseconds of a sentence with one mistake, alone, in bfloat16: the versions that are planned.
TARGETS_US = {"edgeformer": (1100, 390, 130), "base": (1550, 560, 250), "big": (1300, 570, 320),
              "bart": (3300, 1430, 800), "t5": (3050, 1200, 600)}
# Share of the measured bf16 peak with 256 sentences together, by width of the model.
TARGET_PEAK = {512: (12, 25, 32), 768: (12, 35, 48), 1024: (12, 35, 48)}
# Times sooner than transformers' greedy generate on the same card.
TARGET_PEER = (15, 40, 80)
# Times sooner than its own greedy decoding with one mistake and with none, where the decoder has 12 layers.
TARGET_OWN = {"edits1": 4.5, "edits0": 10.0}


def floors_us(config, compute_type, passes, copy_gb):
    """(byte floor, stage floor) of a sentence of so many decoder passes. The encoder's weights and the projections to
    the cross keys and values are read once, the decoder's and the output table once a pass."""
    source, output = matrix_sizes(config)
    bytes_read = BYTES[compute_type] * (source + passes * output)
    stages = ENCODER_STAGES * config["encoder_layers"] + 1
    stages += passes * (DECODER_STAGES * config["decoder_layers"] + PASS_STAGES)
    return bytes_read / (copy_gb * 1e3), stages * STAGE_US


def flops(config, source_tokens, rows):
    """Of the matrix products: the encoder's of all source tokens, the decoder's of all rows, refused drafts too."""
    source, output = matrix_sizes(config)
    return 2.0 * (source * source_tokens + output * rows)
