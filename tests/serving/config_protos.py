"""TensorFlow Serving's configuration messages, where tensorflow-serving-api leaves them out.

Restated from the fields of tensorflow_serving/config/monitoring_config.proto, ssl_config.proto and
servables/tensorflow/session_bundle_config.proto.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_FIELD = descriptor_pb2.FieldDescriptorProto
_KINDS = {"bool": _FIELD.TYPE_BOOL, "string": _FIELD.TYPE_STRING, "int64": _FIELD.TYPE_INT64}
_MESSAGES = {
    "PrometheusConfig": {"enable": "bool", "path": "string"},
    "MonitoringConfig": {"prometheus_config": ".tfs.PrometheusConfig"},
    "SSLConfig": {"server_key": "string", "server_cert": "string", "custom_ca": "string", "client_verify": "bool"},
    "BatchingParameters": {
        "max_batch_size": ".google.protobuf.Int64Value", "batch_timeout_micros": ".google.protobuf.Int64Value",
        "max_enqueued_batches": ".google.protobuf.Int64Value", "num_batch_threads": ".google.protobuf.Int64Value",
        "thread_pool_name": ".google.protobuf.StringValue", "allowed_batch_sizes": "repeated int64",
        "pad_variable_length_inputs": "bool",
    },
}  # fmt: skip


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="tfs_configs.proto", package="tfs", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            label = _FIELD.LABEL_REPEATED if kind.startswith("repeated ") else _FIELD.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            kind = kind.removeprefix("repeated ")
            added.type = _KINDS.get(kind, _FIELD.TYPE_MESSAGE)
            if kind not in _KINDS:
                added.type_name = kind
    return file


_POOL = descriptor_pool.Default()
_POOL.AddSerializedFile(_file().SerializeToString())
_classes = {name: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"tfs.{name}")) for name in _MESSAGES}
MonitoringConfig, SSLConfig = _classes["MonitoringConfig"], _classes["SSLConfig"]
BatchingParameters = _classes["BatchingParameters"]
