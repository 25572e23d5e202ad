# Makes the table and the fronts of this folder: `cifar-10-batches-bin` and `vww01` lie in the folder it runs in.
set -e
for net in resnet20-cifar10-f8 resnet20-cifar10-b3 resnet20-cifar10-b2 resnet20-cifar10-b1 \
  mobilenetv1-0.5-cifar10-f8 mobilenetv1-0.5-cifar10-b2 mobilenetv1-0.5-cifar10-b1 mobilenetv2-0.5-cifar10-f8 \
  mobilenetv2-0.5-cifar10-b2 mobilenetv2-0.5-cifar10-b1 \
  shufflenetv2-0.5-cifar10-f8 shufflenetv2-0.5-cifar10-b2 shufflenetv2-0.5-cifar10-b1; do
  tridot record $net --data cifar-10-batches-bin -o $net-trace.safetensors
  for arch in tiny edge serial segments deep wide; do
    tridot simulate $net --arch $arch --trace $net-trace.safetensors -o zoo
  done
done
for net in mobilenetv1-0.25-96-vww01-f8 mobilenetv1-0.25-96-vww01-b3 mobilenetv1-0.25-96-vww01-b2; do
  tridot record $net --data vww01 -o $net-trace.safetensors
  for arch in tiny edge serial segments deep wide; do
    tridot simulate $net --arch $arch --trace $net-trace.safetensors -o zoo
  done
done
tridot report zoo/records.csv -o zoo/report
