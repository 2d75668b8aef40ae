/** Terms of the series: the last adds less than a double can hold. */
const TERMS = 40;

/**
 * The logarithm to base 2 of a number above 0, the same to the last bit in every engine, which the language does not promise of its own.
 *
 * 12 is 1.5 × 2³, so that log2(12) = 3 + log2(1.5); of what is left, ln m = 2 (z + z³/3 + z⁵/5 + …) with
 * z = (m − 1) / (m + 1), here 0.2: https://dlmf.nist.gov/4.6#E4.
 */
export function log2(number: number): number {
  let [rest, exponent] = [number, 0];
  while (rest >= 2) [rest, exponent] = [rest / 2, exponent + 1];
  while (rest < 1) [rest, exponent] = [rest * 2, exponent - 1];
  const z = (rest - 1) / (rest + 1);
  let [power, sum] = [z, 0];
  for (let odd = 1; odd < TERMS; odd += 2, power *= z * z) sum += power / odd;
  return exponent + (2 * sum) / Math.LN2;
}
