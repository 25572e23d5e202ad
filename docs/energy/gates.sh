# Makes the figures and the numbers of this folder. In the folder it runs in lie `vww01`, `cifar-10-batches-bin` and `pdk` with
# the liberty files sky130hd_tt_025C_1v80.lib and asap7sc7p5t_*.lib.
set -e
net=mobilenetv1-0.25-96-vww01-b2
resnet=resnet20-cifar10-b1
other=mobilenetv1-0.5-cifar10-b1
tridot record $net --data vww01 --samples 1 -o $net-trace.safetensors
for one in $resnet $other; do
  tridot record $one --data cifar-10-batches-bin --samples 1 -o $one-trace.safetensors
done
# Network, architecture, what goes before the folders' names.
energy() {
  tridot rtl energy $1 --arch $2.toml --trace $1-trace.safetensors --energy sky130 --liberty pdk/sky130hd_tt_025C_1v80.lib -o $3sky130-$2
  tridot rtl energy $1 --arch $2.toml --trace $1-trace.safetensors --energy asap7 --liberty pdk/asap7sc7p5t_*.lib -o $3asap7-$2
}
for lanes in 8 16 32; do for branches in 1 2; do for side in 1 2; do
  if [ $side = 2 ] && [ $lanes != 16 ]; then continue; fi
  name=$side-x-$side-of-$lanes-x-$branches
  # As `edge`, but for the sizes; the clock is one that both libraries bear.
  tridot archs --show edge | sed "s/^name = .*/name = \"$name\"/; s/^clock_mhz = .*/clock_mhz = 40/
    s/^rows = .*/rows = $side/; s/^columns = .*/columns = $side/; s/^branches = .*/branches = $branches/
    s/^multipliers = .*/multipliers = $branches/; /^\[engine\]/,/^\[/s/^lanes = .*/lanes = $lanes/" > $name.toml
  energy $net $name ""
  if [ $lanes = 16 ]; then energy $other $name mobilenetv1-; fi
  if [ $side = 1 ]; then energy $resnet $name resnet20-; fi
done; done; done
