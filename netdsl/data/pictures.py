"""Images in files, decoded by Pillow: upright, grey or in colours, whatever their mode."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netdsl.data.files import ordinary
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import UnreadableImage

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of 16-bit grey
GREY, COLOUR = 1, 3  # channels


def decode(file: Path | bytes, name: str, channels: int = COLOUR) -> np.ndarray:
    """The first image of a file, or of a file's contents, as uint8 [channels, H, W]: turned upright
    by its EXIF orientation, palettes and CMYK converted, transparency left away, 16 bits cut to 8.
    Raises Refused, naming the file, for one that is damaged, cut off, or of so many pixels that
    Pillow takes it for an attack."""
    from PIL import Image, ImageOps

    opened = io.BytesIO(file) if isinstance(file, bytes) else ordinary(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(opened, formats=FORMATS) as image:
                upright = _eight_bits(ImageOps.exif_transpose(image))
                pixels = np.asarray(upright.convert("L" if channels == GREY else "RGB"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        reason = f"it has more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels"
        raise Refused(UnreadableImage(name, reason)) from None
    except Image.UnidentifiedImageError:
        reason = "its contents are those of no image format"
        raise Refused(UnreadableImage(name, reason)) from None
    except MemoryError:
        raise Refused(UnreadableImage(name, "it does not fit into memory")) from None
    except Exception as error:  # Pillow's decoders raise a dozen types on damaged bytes
        raise Refused(UnreadableImage(name, ascii(str(error))[1:-1][:200])) from None
    return pixels[None] if channels == GREY else np.moveaxis(pixels, 2, 0)


def _eight_bits(image: Picture) -> Picture:
    """16-bit grey by its upper byte: Pillow's own conversion would cut at 255."""
    if image.mode not in WIDE:
        return image
    from PIL import Image

    upper = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255)
    return Image.fromarray(upper.astype(np.uint8), "L")
