import torch

from cetd.config import EncoderDecoderConfig
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.training.positions import focus_positions


def biases(heads: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """(heads, query, key) of the encoder and of the decoder, over six positions."""
    model = EncoderDecoder(EncoderDecoderConfig(d_model=16, d_ff=16, d_kv=4, n_heads=heads))
    focus_positions(model)
    return model.encoder.positions(6, 6)[0].detach(), model.decoder.positions(6, 6)[0].detach()


def test_encoder_heads_look_before_back_after_and_anywhere():
    encoder, _ = biases()
    before, back, after, anywhere = encoder[:, 3]
    assert before.argmax() == 2
    assert back[:4].tolist() == sorted(back[:4].tolist())
    assert after.argmax() == 4
    assert (anywhere == 0).all()


def test_decoder_heads_look_back_only():
    _, decoder = biases()
    assert decoder[0, 3, :4].argmax() == 2
    assert decoder[2, 3, :4].argmax() == 1


def test_further_heads_take_turns():
    encoder, decoder = biases(heads=6)
    assert torch.equal(encoder[4], encoder[0])
    assert torch.equal(decoder[5], decoder[1])
