import MeteringModel
import Testing

@testable import Provisioning

@Suite("The form of API keys")
struct AccessSecretTests {
    @Test func theChecksumIsCRC32() {
        #expect(CRC32.checksum("123456789".utf8) == 0xCBF4_3926)
        #expect(CRC32.checksum([]) == 0)
    }

    @Test func keysAreOfOneFormAndDiffer() {
        var generator = SystemRandomNumberGenerator()
        let keys = (0..<200).map { _ in AccessSecret.make(using: &generator) }
        #expect(Set(keys).count == 200)
        for key in keys {
            #expect(key.hasPrefix("tg_live_"))
            #expect(key.utf8.count == 42)
            #expect(AccessSecret.isWellFormed(Array(key.utf8)))
        }
    }

    @Test func everyTypingErrorIsSeen() {
        var generator = SystemRandomNumberGenerator()
        let key = Array(AccessSecret.make(using: &generator).utf8)
        for index in key.indices {
            for replacement in ["a", "Z", "0", "_", "\u{0}"] {
                var wrong = key
                wrong[index] = replacement.utf8.first ?? 0
                if wrong != key { #expect(!AccessSecret.isWellFormed(wrong)) }
            }
            // Neighbours changed for each other, a letter lost, a letter twice.
            if index + 1 < key.count, key[index] != key[index + 1] {
                var wrong = key
                wrong.swapAt(index, index + 1)
                #expect(!AccessSecret.isWellFormed(wrong))
            }
            #expect(!AccessSecret.isWellFormed(Array(key[..<index] + key[(index + 1)...])))
            #expect(!AccessSecret.isWellFormed(Array(key[...index] + key[index...])))
        }
        #expect(!AccessSecret.isWellFormed([]))
        #expect(!AccessSecret.isWellFormed(key + [0x20]))
    }

    @Test func aDigestGoesToBytesAndBack() throws {
        let digest = SecretDigest(of: Array("abc".utf8))
        let hex = digest.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(SecretDigest(stored: digest.bytes) == digest)
        #expect(SecretDigest(stored: [1, 2]) == nil)
        for index in 0..<32 {
            var other = digest.bytes
            other[index] ^= 1
            #expect(SecretDigest(stored: other) != digest)
        }
    }
}
