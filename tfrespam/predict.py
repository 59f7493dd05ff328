"""Command line of `predict`: segment image files of any size and kind."""

from typing import Literal

from tfrespam import cli

GROUPS = {
    "Images": ("film", "box", "context", "remove_labels"),
    "Models": ("model", "film_model", "models_dir", "threshold", "batch_size"),
    "A model server instead of models on disk": (
        "server", "served_name", "ca", "certificate", "key", "token_file", "timeout", "keepalive", "proxy"),
    "DICOM": ("dicom_*", "patient_ids"),
}  # fmt: skip


def predict(*inputs: str, output: str, model: str | None = None, film_model: str | None = None,
            models_dir: str = "saved_models", threshold: float | None = None, batch_size: int = 8,
            film: Literal["auto", "always", "never"] = "auto", box: tuple[int, int, int, int] | None = None,
            context: float | None = None, server: str | None = None, served_name: str = "tfrespam",
            ca: str | None = None, certificate: str | None = None, key: str | None = None,
            token_file: str | None = None, timeout: float = 300.0, keepalive: float | None = None,
            proxy: str | None = None, remove_labels: bool = False, dicom_seg: bool = False,
            dicom_probability: bool = False, dicom_sr: bool = False, patient_ids: bool = False,
            log_format: Literal["text", "json"] = "text") -> None:  # fmt: skip
    """Segment image files; write masks, probabilities, overlays and a table.

    On a whole film one network finds candidate masses with scores, and another outlines each of them; candidates.csv
    lists them. A film without candidates has an empty mask and the note "no mass found". Every other image is treated
    as a crop around a mass, which is outlined. The same command resumes after it was killed or the server was lost.

    Args:
        inputs: Images (PNG, JPEG, TIFF, BMP, PGM, DICOM), folders (searched with their subfolders) or globs.
        output: Folder for <name>_mask.png, <name>_probability.png, <name>_overlay.png, and predictions.csv and
            candidates.csv of the last call; the column `notes` lists assumptions about a file. Images of earlier
            calls with the same name are replaced, other files never.
        model: Folder of an exported model (default: models_dir/pretrained, else the newest under models_dir, else the
            pretrained one of tfrespam). With --server only its metadata is read; without --model the served network is
            assumed to be trained on crops. A named model also segments films, unless film_model is named.
        film_model: Folder of an exported model that finds masses on whole films (default: models_dir/films, else the
            one of tfrespam; none with your own model). Not with --server.
        models_dir: Folder of all exported models.
        threshold: Probability threshold of the mask: pixels with at least this probability belong to it (default: that
            of the model). On whole films it replaces the threshold of the candidates and of their outlines, and every
            candidate is reported, whatever its score and area.
        batch_size: Number of images in a batch.
        film: "always": all images are whole films, which are searched for masses. "never": all are crops around a mass.
            "auto": the DICOM header decides; if it does not, an image is a film if its longer side has at least 512
            pixels, it is oblong, and it shows a breast on a dark background. The column `region` states the decision.
        box: Y0 X0 Y1 X1 of a box around a mass, in pixels; for a single image. The network segments the square around
            the box, with the margin of its training crops.
        context: Longest side of each crop divided by the longest side of its mass, if it differs from that of the
            network's training crops; for the crop files of CBIS-DDSM, known by their header, 1.35 is assumed. The
            network then receives the centred square with its own context: tighter crops are extended by mirroring,
            wider ones cut, and the mask has the size of the file. Whole films are not affected.
        server: A model server instead of a model on disk: TensorFlow Serving at host:8500, grpcs://host:8500 (gRPC),
            http://host:8501 or https://host:8501 (REST); Triton and others at kserve://host:8001, kserves://host:8001.
        served_name: The model's name on that server.
        ca: File with the certificates to trust (PEM), for a server with a private one.
        certificate: File with the client's certificate (PEM), for a server that requires one.
        key: File with the key of that certificate (PEM).
        token_file: File with a bearer token to send with each request.
        timeout: Seconds until the complete answer to a request, for one film or batch_size other images.
        keepalive: Seconds without data after which a gRPC connection is probed; the server must allow it.
        proxy: HTTP proxy, http://host:port; those of the environment are not used.
        remove_labels: Set labels and white borders of scanned films to black first.
        dicom_seg: Write <name>_seg.dcm, a DICOM segmentation of each DICOM file.
        dicom_probability: Write <name>_probability.dcm, a fractional DICOM segmentation.
        dicom_sr: Write <name>_seg.dcm and, if there is a mass, <name>_sr.dcm, a DICOM report of its area and
            longest diameter.
        patient_ids: Write the IDs of DICOM patients into predictions.csv instead of hashes.
        log_format: "json" writes each file and each request as a line of JSON to standard error.
    """
    from tfrespam.core.memory import return_large_blocks
    from tfrespam.serving.client.credentials import Credentials
    from tfrespam.serving.dicom.write import Wanted
    from tfrespam.workflows import prediction

    return_large_blocks()
    prediction.predict_files(inputs, output, model=model, film_model=film_model, models_dir=models_dir,
                             threshold=threshold, batch_size=batch_size, film=film, box=box, context=context,
                             server=server, served_name=served_name,
                             credentials=Credentials(ca, certificate, key, token_file), timeout=timeout,
                             keepalive=keepalive, proxy=proxy, remove_labels=remove_labels, patient_ids=patient_ids,
                             dicom=Wanted(dicom_seg, dicom_probability, dicom_sr))  # fmt: skip


def main() -> None:
    cli.run(predict, groups=GROUPS)


if __name__ == "__main__":
    main()
