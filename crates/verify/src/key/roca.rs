//! The fingerprint of RSA keys whose private half can be computed (ROCA, CVE-2017-15361).

/// The odd primes up to 167: for smaller moduli than ours fewer would do, and more add nothing.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// The flawed library made primes of the form k·M + (65537^a mod M), where M is a product of small primes. Modulo each of
/// those, a modulus is then a power of 65537. A sound modulus is one for all of them with a probability below 2^-27.
pub(super) fn has_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.into_iter().all(|prime| is_power_of_65537(remainder(modulus, prime), prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |remainder, byte| (remainder << 8 | u32::from(*byte)) % prime)
}

fn is_power_of_65537(number: u32, prime: u32) -> bool {
    let generator = 65537 % prime;
    let mut power = 1;
    loop {
        if power == number {
            return true;
        }
        power = power * generator % prime;
        if power == 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::has_fingerprint;

    #[test]
    fn b1_powers_of_65537_have_the_fingerprint() {
        // 65537^128 has 2049 bits and is a power of 65537 modulo everything.
        let mut number = vec![1_u8];
        for _ in 0..128 {
            // x · 65537 = x · 2^16 + x
            let shifted: Vec<u8> = number.iter().copied().chain([0, 0]).collect();
            number = add(&shifted, &number);
        }
        assert_eq!(number.len(), 257);
        assert!(has_fingerprint(&number));
        *number.last_mut().unwrap() = 3;
        assert!(!has_fingerprint(&number));
    }

    fn add(long: &[u8], short: &[u8]) -> Vec<u8> {
        let padded = std::iter::repeat_n(0, long.len() - short.len()).chain(short.iter().copied());
        let mut sum = long.to_vec();
        let mut carry = 0;
        for (digit, other) in sum.iter_mut().zip(padded.collect::<Vec<u8>>()).rev() {
            let total = u16::from(*digit) + u16::from(other) + carry;
            *digit = total.to_le_bytes()[0];
            carry = total >> 8;
        }
        if carry > 0 {
            sum.insert(0, 1);
        }
        sum
    }
}
