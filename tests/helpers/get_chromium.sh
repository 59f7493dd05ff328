#!/bin/sh
# Unpack a headless Chromium from the npm registry into a folder: the browser of the tests where none is installed.
#   tests/helpers/get_chromium.sh build/chromium && PATH=$PWD/build/chromium:$PATH make test-pages
# Needs npm and Node. x86-64 only.
set -eu
package=@sparticuz/chromium@147.0.0
mkdir -p "$1"
cd "$1"
[ -x chromium ] && exit 0
npm pack --silent "$package" >/dev/null
tar xzf sparticuz-chromium-*.tgz
for part in chromium al2023.tar swiftshader.tar; do
  node -e "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync('package/bin/$part.br')))" >"unpacked-$part"
done
tar xf unpacked-al2023.tar
tar xf unpacked-swiftshader.tar
chmod +x unpacked-chromium
cat >wrapper <<'W'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH=$here/lib:${LD_LIBRARY_PATH:-} exec "$here/unpacked-chromium" "$@"
W
chmod +x wrapper
rm -rf package sparticuz-chromium-*.tgz unpacked-*.tar
mv wrapper chromium  # the last step: an interrupted call is repeated
