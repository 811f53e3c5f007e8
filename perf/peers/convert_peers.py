#!/usr/bin/env python3
"""Turns FOLDER/model, as make_copy_model.py writes it, into what the other systems read, with their own converters.

usage: convert_peers.py FOLDER

FOLDER/ctranslate2-{int8,float32}: CTranslate2's converter. FOLDER/onnxruntime-{float32,int8}: the exporter of
optimum-onnx, with encoder and decoder with key/value cache; then dynamic quantization by ONNX Runtime, one scale for
each output channel. The two decoders (first step, later steps) are merged, so that weights are in memory once.
What is there is not made again.
"""

import os
import pathlib
import shutil
import sys

import ctranslate2.converters
import onnxruntime.quantization
import optimum.exporters.onnx
import optimum.onnx.graph_transformations

DECODERS = ("decoder_model.onnx", "decoder_with_past_model.onnx")


def to_ctranslate2(folder, kind):
    out = folder / f"ctranslate2-{kind}"
    if not out.exists():
        converter = ctranslate2.converters.TransformersConverter(str(folder / "model"))
        converter.convert(str(out), quantization=None if kind == "float32" else kind)


def quantize(source, target):
    onnxruntime.quantization.quantize_dynamic(source, target, per_channel=True,
                                              weight_type=onnxruntime.quantization.QuantType.QInt8)


def to_onnx(folder, export):
    if not export.exists():
        optimum.exporters.onnx.main_export(str(folder / "model"), str(export), task="text2text-generation-with-past",
                                           no_post_process=True, do_validation=False)


def finish_onnx(folder, export, kind):
    out = folder / f"onnxruntime-{kind}"
    if out.exists():
        return
    part = folder / f"onnxruntime-{kind}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for name in ("encoder_model.onnx", *DECODERS):
        if kind == "int8":
            quantize(export / name, part / name)
        else:
            shutil.copy(export / name, part / name)
    optimum.onnx.graph_transformations.merge_decoders(*(part / name for name in DECODERS), strict=False,
                                                      save_path=part / "decoder_model_merged.onnx")
    for name in DECODERS:
        os.remove(part / name)
    part.rename(out)


def main():
    folder = pathlib.Path(sys.argv[1])
    for kind in ("int8", "float32"):
        to_ctranslate2(folder, kind)
    export = folder / "onnx-export"
    to_onnx(folder, export)
    for kind in ("float32", "int8"):
        finish_onnx(folder, export, kind)


if __name__ == "__main__":
    main()
