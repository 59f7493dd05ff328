"""TensorFlow operations that exported graphs may contain: those of the signatures, and what networks need beside."""

from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2

# All that the signatures and the small network need of TensorFlow; nothing here runs Python.
ALLOWED = {
    "Abs", "AddN", "AddV2", "All", "Any", "ArgMax", "Assert", "AssignVariableOp", "AvgPool", "BatchMatMulV2",
    "BiasAdd", "Bitcast", "Cast", "ConcatV2", "ConcatenateDataset", "Const", "Conv2D", "Cumsum",
    "DatasetToSingleElement", "DecodeJpeg", "DecodePng", "DecodeRaw", "DenseBincount", "DisableCopyOnRead",
    "DivNoNan", "EncodePng", "EnsureShape", "Equal", "ExtractJpegShape", "Fill", "FloorDiv", "GatherNd", "GatherV2",
    "Greater", "GreaterEqual", "Identity", "IsFinite", "If", "IgnoreErrorsDataset", "Less", "LogicalAnd", "LogicalOr",
    "MapDataset", "Max", "MaxPool", "Maximum", "Mean", "MergeV2Checkpoints", "Minimum", "Mul", "Neg", "NoOp",
    "NotEqual", "OnesLike", "Pack", "Pad", "PartitionedCall", "Placeholder", "Prod", "Range", "ReadVariableOp",
    "RealDiv", "Relu", "Reshape", "RestoreV2", "Round", "Rsqrt", "SaveV2", "Select", "SelectV2", "Shape",
    "ShardedFilename", "Sigmoid", "Size", "Square", "Squeeze", "StatefulPartitionedCall", "StatelessIf",
    "StatelessWhile", "StaticRegexFullMatch", "StridedSlice", "StringFormat", "StringJoin", "Sub", "Substr", "Sum",
    "TakeDataset", "TensorDataset", "TensorListFromTensor", "TensorListGetItem", "TensorListReserve",
    "TensorListSetItem", "TensorListStack", "TensorScatterAdd", "Unpack", "VarHandleOp", "VarIsInitializedOp",
    "Where", "While",
    # of candidates
    "Log", "Min", "RaggedTensorFromVariant", "RaggedTensorToTensor", "RaggedTensorToVariant", "ScatterNd",
    "TensorScatterMin", "TensorScatterUpdate", "TopKV2", "Unique", "UnsortedSegmentMax",
    "UnsortedSegmentMin", "UnsortedSegmentSum",
}  # fmt: skip
ALLOWED_WITH_NETWORK = ALLOWED | {
    "BatchToSpaceND", "BitwiseAnd", "Conv2DBackpropInput", "DepthToSpace", "DepthwiseConv2dNative", "ExpandDims",
    "LeakyRelu", "OneHot", "Relu6", "ResizeBilinear", "SpaceToBatchND", "Split", "Tanh", "Tile", "Transpose",
    "ZerosLike",
}  # fmt: skip


def ops_and_attributes(path: Path) -> tuple[set[str], set[str]]:
    """Return the names of all operations in the graph and its function library, and of all their attributes."""
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert len(nodes) > 200
    attributes = {name for node in nodes for name in node.attr}
    return {node.op for node in nodes}, attributes.union(*(function.attr for function in graph.library.function))


def check_ops(path: Path, allowed: set[str] = ALLOWED_WITH_NETWORK) -> None:
    """Check that the exported graph has no other operations, and nothing that must be compiled by XLA."""
    ops, attributes = ops_and_attributes(path)
    assert ops - allowed == set() and "_XlaMustCompile" not in attributes
