#!/bin/sh
# Checks and measures training on a machine with a GPU. Not run yet, because no GPU was available.
#
#   pip install '.[gpu]' && experiments/gpu_check.sh
#
# Checks that TensorFlow finds the GPU, that one training in each precision and in deterministic mode finishes, and, if
# there are two GPUs, that they train together; then measures. Results: experiments/results/benchmarks/gpu-*.json, gpu_check.log.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
LOG=experiments/results/gpu_check.log
RUNS=$(mktemp -d)
trap 'rm -rf "$RUNS"' EXIT
exec 3>&1
GPUS=$("$PYTHON" -c 'import tensorflow as tf; print(len(tf.config.list_physical_devices("GPU")))' 2>/dev/null)
if [ "$GPUS" = 0 ]; then
  echo "error: TensorFlow sees no GPU. Install the extra [gpu], and a driver that nvidia-smi knows" >&2
  exit 2
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv | tee "$LOG"

train() {
  name=$1
  shift
  echo "training: $name" | tee -a "$LOG" >&3
  "$PYTHON" -m tfrespam.train --config experiments/phantom.yaml --name "gpu-$name" --runs_dir "$RUNS" \
    --models_dir "$RUNS/models" --training.epochs 3 --training.warmup_epochs 1 "$@" >> "$LOG" 2>&1
  cat "$RUNS/gpu-$name"/*/history.csv >> "$LOG"
}

train deterministic
train float32 --training.deterministic false
train float16 --training.deterministic false --training.precision mixed_float16
train bfloat16 --training.deterministic false --training.precision mixed_bfloat16
[ "$GPUS" -lt 2 ] || train mirrored --strategy mirrored --devices 2

"$PYTHON" -m tfrespam.benchmark --name gpu-quarter --width 0.25 --image_size 128 | tee -a "$LOG"
"$PYTHON" -m tfrespam.benchmark --name gpu-paper --width 1 --image_size 224 --parts '[train, infer, memory]' | tee -a "$LOG"
