"""A real llama.cpp server on the loopback, with a toy model of noise that is made on the spot.

What it says is decided by a grammar; how it streams, counts and is cancelled is llama.cpp's own. A program of
its own, ``llama_server.py DIRECTORY GRAMMAR SLOTS``: it prints its address and serves until it is ended.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

EMBEDDING, HEADS, LAYERS, CONTEXT = 64, 4, 2, 65536
TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant: "


def make_model(path: Path) -> None:
    """Write a llama of random weights; its tokens are the 256 bytes and three marks."""
    import gguf
    import numpy

    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [2, 3, 3, *[6] * 256]  # unknown, control, control, bytes
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * EMBEDDING)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)
    noise = numpy.random.default_rng(0)

    def add(name: str, *shape: int) -> None:
        weights = numpy.ones(shape) if len(shape) == 1 else noise.normal(0, 0.1, shape)
        writer.add_tensor(name, weights.astype(numpy.float32))

    add("token_embd.weight", len(tokens), EMBEDDING)
    add("output_norm.weight", EMBEDDING)
    add("output.weight", len(tokens), EMBEDDING)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{layer}.{name}.weight", EMBEDDING, EMBEDDING)
        for name in ("attn_norm", "ffn_norm"):
            add(f"blk.{layer}.{name}.weight", EMBEDDING)
        for name in ("ffn_gate", "ffn_up"):
            add(f"blk.{layer}.{name}.weight", 2 * EMBEDDING, EMBEDDING)
        add(f"blk.{layer}.ffn_down.weight", EMBEDDING, 2 * EMBEDDING)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(folder: Path, grammar: str, slots: int) -> None:
    """Print the address, then serve until the process is ended."""
    import xllamacpp

    path = folder / "toy.gguf"
    make_model(path)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {"toy"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT * slots
    params.n_parallel = slots
    params.endpoint_slots = True
    params.cpuparams.n_threads = 1
    params.n_threads_http = slots + 2
    params.warmup = False
    params.offline = True
    params.force_pure_content_parser = True
    user = xllamacpp.common_grammar_type.COMMON_GRAMMAR_TYPE_USER
    params.sampling.grammar = xllamacpp.CommonGrammar(user, grammar)
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
