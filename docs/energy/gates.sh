# Makes the figures and the numbers of this folder. In the folder it runs in lie `vww01`, `cifar-10-batches-bin` and `pdk` with
# the liberty files sky130hd_tt_025C_1v80.lib and asap7sc7p5t_*.lib.
set -e
net=mobilenetv1-0.25-96-vww01-b2
tridot record $net --data vww01 --samples 1 -o $net-trace.safetensors
tridot record resnet20-cifar10-b1 --data cifar-10-batches-bin --samples 1 -o resnet20-cifar10-b1-trace.safetensors
tridot record mobilenetv1-0.5-cifar10-b1 --data cifar-10-batches-bin --samples 1 -o mobilenetv1-0.5-cifar10-b1-trace.safetensors
for lanes in 8 16 32; do for branches in 1 2; do for side in 1 2; do
  if [ $side = 2 ] && [ $lanes != 16 ]; then continue; fi
  name=$side-x-$side-of-$lanes-x-$branches
  # As `edge`, but for the sizes; the clock is one that both libraries bear.
  tridot archs --show edge | sed "s/^name = .*/name = \"$name\"/; s/^clock_mhz = .*/clock_mhz = 40/
    s/^rows = .*/rows = $side/; s/^columns = .*/columns = $side/; s/^branches = .*/branches = $branches/
    s/^multipliers = .*/multipliers = $branches/; /^\[engine\]/,/^\[/s/^lanes = .*/lanes = $lanes/" > $name.toml
  tridot rtl energy $net --arch $name.toml --trace $net-trace.safetensors --energy sky130 \
    --liberty pdk/sky130hd_tt_025C_1v80.lib -o sky130-$name
  tridot rtl energy $net --arch $name.toml --trace $net-trace.safetensors --energy asap7 \
    --liberty pdk/asap7sc7p5t_*.lib -o asap7-$name
  if [ $lanes = 16 ]; then
    other=mobilenetv1-0.5-cifar10-b1
    tridot rtl energy $other --arch $name.toml --trace $other-trace.safetensors --energy sky130 \
      --liberty pdk/sky130hd_tt_025C_1v80.lib -o mobilenetv1-sky130-$name
    tridot rtl energy $other --arch $name.toml --trace $other-trace.safetensors --energy asap7 \
      --liberty pdk/asap7sc7p5t_*.lib -o mobilenetv1-asap7-$name
  fi
  if [ $side = 2 ]; then continue; fi
  tridot rtl energy resnet20-cifar10-b1 --arch $name.toml --trace resnet20-cifar10-b1-trace.safetensors --energy sky130 \
    --liberty pdk/sky130hd_tt_025C_1v80.lib -o resnet20-sky130-$name
  tridot rtl energy resnet20-cifar10-b1 --arch $name.toml --trace resnet20-cifar10-b1-trace.safetensors --energy asap7 \
    --liberty pdk/asap7sc7p5t_*.lib -o resnet20-asap7-$name
done; done; done
