"""Holds both variants against the golden vectors: what the authors' code computes for given weights and batches.

    python bench/peers/check_golden.py [--compiled]

One line per comparison: the largest difference, relative to the largest value of that tensor (gradients: or 1e-6, parameters:
or 1, so that it is the absolute difference of test/fixtures/golden/README.md), and what is allowed. Exit code 1 on failure.
`--compiled` checks best.py under torch.compile too. Knows the fixtures' layout and the official names of parameters.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from batches import Batch, Catalogue, read_safetensors
from best import TABLES, BestStep
from eager import EagerStep
from model import Sesrec, Settings

FIXTURES = Path(__file__).parents[2] / "test" / "fixtures" / "golden"
ITEM_ATTRIBUTES, USER_ATTRIBUTES = ("type1", "cate"), ("gender", "age", "src_level")
LOSS, GRADIENT, AFTER_STEP = 1e-5, 1e-4, 2e-5
NOISE = 1e-7  # below it Adam's direction is rounding: such entries may differ by the learning rate


def official_names(model: Sesrec) -> dict[str, str]:
    """The official name of each of our parameters."""
    names = {
        "item_id.weight": "query_item_feat.item_feat.item_id_emb.weight",
        "query_id.weight": "query_item_feat.query_id_emb.weight",
        "word.weight": "query_item_feat.query_word_segs_emb.weight",
        "source.weight": "query_item_feat.query_search_source_emb.weight",
        "user_id.weight": "user_feat.user_id_emb.weight",
        "feed_position.weight": "rec_pos_emb.pe.weight",
        "search_position.weight": "src_pos_emb.pe.weight",
        "co_bilinear": "interest_contrast.co_att.W1",
        "co_feed": "interest_contrast.co_att.Wq",
        "co_search": "interest_contrast.co_att.Wd",
        "feed_interest": "rec_his_att_pooling.W",
        "search_interest": "src_his_att_pooling.W",
        "alignment_bilinear": "feature_alignment.infoNCE_loss.weight_matrix",
        "temperature": "feature_alignment.infoNCE_loss.temp",
    }
    for i, name in enumerate(ITEM_ATTRIBUTES):
        names[f"item_attributes.{i}.weight"] = f"query_item_feat.item_feat.item_{name}_emb.weight"
    for i, name in enumerate(USER_ATTRIBUTES):
        names[f"user_attributes.{i}.weight"] = f"user_feat.user_{name}_emb.weight"
    for ours, theirs in (("item", "item"), ("query", "query")):
        for kind in ("weight", "bias"):
            names[f"{ours}_projection.{kind}"] = f"query_item_feat.{theirs}_trans.{kind}"
    parts = {
        "attention": "multi_head_attention.multi_head_attention",
        "attention_norm": "multi_head_attention.LayerNorm",
        "inner": "feed_forward.dense_1",
        "outer": "feed_forward.dense_2",
        "outer_norm": "feed_forward.LayerNorm",
    }
    for ours, theirs in (("feed", "rec"), ("search", "src")):
        for part, place in parts.items():
            for kind in ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias", "weight", "bias"):
                names[f"{ours}_encoder.{part}.{kind}"] = f"{theirs}_his_transformer_layer.layer.0.{place}.{kind}"
    for layer in range(len(model.prediction)):
        for kind in ("weight", "bias"):
            names[f"prediction.{layer}.{kind}"] = f"fc_layer.fc.{3 * layer}.{kind}"
    return {name: names[name] for name, _ in model.named_parameters()}


def read_settings(golden: dict) -> Settings:
    commercial = golden["kind"] == "commercial"
    sizes = lambda owner, names: tuple((golden[f"{owner}_{n}_num"], golden[f"{owner}_{n}_dim"]) for n in names if commercial)
    if golden["num_blocks"] != 1:
        raise SystemExit("the peers have one encoder block")
    return Settings(
        items=golden["item_id_num"],
        users=golden["user_id_num"],
        queries=golden["query_id_num"],
        words=golden["query_word_segs_num"],
        sources=golden["query_search_source_num"],
        item_attributes=sizes("item", ITEM_ATTRIBUTES),
        user_attributes=sizes("user", USER_ATTRIBUTES),
        width=golden["query_search_source_dim"],
        item_width=golden["item_id_dim"],
        query_width=golden["query_id_dim"],
        word_width=golden["query_word_segs_dim"],
        user_width=golden["user_id_dim"],
        feed_window=golden["max_rec_his_len"],
        search_window=golden["max_src_his_len"],
        heads=golden["num_heads"],
        hidden=tuple(golden["pred_hid_units"]),
        temperature=golden["infoNCE_temp"],
        margin=golden["triplet_margin"],
        alpha=golden["alpha"],
        beta=golden["beta"],
        dropout=golden["dropout"],
        mask_co_attention=False,
        learning_rate=golden["lr"],
        weight_decay=golden["weight_decay"],
    )


def read_batch(given: dict, settings: Settings) -> tuple[Batch, Catalogue]:
    """The same query id may come with different words there: every pair of id and words is a query of its own here."""
    array = lambda values: np.asarray(values, np.int64)
    entries: dict[tuple[int, ...], int] = {(0, *[0] * array(given["align_neg_words"]).shape[1]): 0}
    number = lambda ids, words: array(
        [entries.setdefault((id_, *row), len(entries)) for id_, row in zip(ids.ravel(), words.reshape(-1, words.shape[-1]))]
    ).reshape(ids.shape)
    search_ids, search_words = array(given["src_query"]), array(given["src_words"])
    search = number(search_ids, np.where(search_ids[..., None] == 0, 0, search_words))
    negative_queries = number(array(given["align_neg_query"]), array(given["align_neg_words"]))
    table = array(list(entries))

    def attributes(size: int, lists: list, count: int) -> list[np.ndarray]:
        columns = [np.zeros(size, np.int64) for _ in range(count)]
        for ids, *values in lists:
            for column, value in zip(columns, values):
                column[array(ids)] = array(value)
        return columns

    items = [given[name] for name in ("rec_his", "src_click", "pos", "neg", "align_neg_item")]
    batch = Batch(
        users=array(given["user"][0]),
        feed=array(given["rec_his"][0]),
        search=search,
        source=array(given["src_source"]),
        clicks=array(given["src_click"][0]),
        candidates=np.concatenate([array(given["pos"][0])[:, None], array(given["neg"][0])], 1),
        negative_items=array(given["align_neg_item"][0]),
        negative_queries=negative_queries,
    )
    return batch, Catalogue(
        table[:, 0],
        table[:, 1:],
        attributes(settings.items, items, len(settings.item_attributes)),
        attributes(settings.users, [given["user"]], len(settings.user_attributes)),
    )


def check(fixture: Path, variant: str, compiled: bool) -> bool:
    settings = read_settings(json.loads((fixture / "config.json").read_text()))
    expected = json.loads((fixture / "expected.json").read_text())
    batch, catalogue = read_batch(json.loads((fixture / "inputs.json").read_text())[0], settings)
    model = Sesrec(settings)
    names = official_names(model)
    weights = read_safetensors(fixture / "weights.safetensors")
    if set(weights) != set(names.values()):
        raise SystemExit(f"{fixture} has other parameters: {sorted(set(weights) ^ set(names.values()))}")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(weights[names[name]].copy()))
    step = EagerStep(settings, catalogue, model) if variant == "eager" else BestStep(settings, catalogue, model, compiled)
    losses = step.gradients(step.prepare(batch))
    if variant == "best":
        for name in TABLES:
            ids, values = step.row_gradients[name]
            table = step.tables[name]
            table.grad = torch.zeros_like(table).index_add_(0, ids, values)
    gradients = {names[name]: parameter.grad.numpy().copy() for name, parameter in model.named_parameters()}

    sound = True

    def compare(what: str, difference: float, allowed: float) -> None:
        nonlocal sound
        ok = difference <= allowed  # not so for NaN
        sound = sound and ok
        label = f"{fixture.name}  {variant}{' compiled' if compiled else ''}"
        print(f"{'ok    ' if ok else 'FAILED'}  {label:32} {what:92} {difference:.1e} of {allowed:.0e}")

    for name, key in (("total", "loss"), ("prediction", "bce"), ("alignment", "align"), ("contrast", "contrast")):
        compare(f"loss {key}", abs(getattr(losses, name).item() - expected[key]) / max(1, abs(expected[key])), LOSS)
    for name, wanted in read_safetensors(fixture / "gradients.safetensors").items():
        scale = max(1e-6, np.abs(wanted).max())
        compare(f"gradient of {name}", np.abs(gradients[name] - wanted).max() / scale, GRADIENT)
    if variant == "eager":
        step.optimizer.step()
        after = {names[name]: parameter.detach().numpy() for name, parameter in model.named_parameters()}
        for name, wanted in read_safetensors(fixture / "after_one_adam_step.safetensors").items():
            difference = np.abs(after[name] - wanted)
            noise = np.abs(gradients[name] + settings.weight_decay * weights[name]) < NOISE
            difference = np.where(noise, np.maximum(0, difference - settings.learning_rate), difference)
            compare(f"after one step {name}", difference.max(), AFTER_STEP)
    return sound


def main() -> None:
    torch.set_num_threads(1)
    runs = [("eager", False), ("best", False)] + ([("best", True)] if "--compiled" in sys.argv[1:] else [])
    results = [check(fixture, *run) for fixture in sorted(FIXTURES.glob("tiny-*")) for run in runs]
    if not results or not all(results):
        sys.exit("the golden vectors are not met" if results else f"there are no golden vectors in {FIXTURES}")


if __name__ == "__main__":
    main()
