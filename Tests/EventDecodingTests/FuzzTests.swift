import EventDecoding
import Foundation
import Testing

@Suite("Mutated events")
struct FuzzTests {
    static let samples = [
        sample,
        event(#""data":{"model":"\u0041\ud83d\ude00\\\"é😀","usage":{"total":-1.5e+3,"x":[]}}"#),
        " {\n \"specversion\" : \"1.0\" , \"id\" : \"a\", \"source\" : \"b\",\r\n\"type\":\"c\" ,"
            + " \"x\" : [ 1 , true , null , { } , [ ] , \"\" , 0.25 ] ,\t\"data\" : null } ",
        "[1,-0,0.5,1e9,\"\\u00e9\",{\"a\":{\"b\":[[],{}]}},false,\"\"]",
    ].map { Array($0.utf8) }

    static let interesting = Array(
        "\"\"\"\\\\{}[]{}[],,::0019-+.eEtfnu /'\n\t\r\u{0}\u{1}\u{C}\u{1A}\u{7F}".utf8)

    private func mutate(_ bytes: inout [UInt8], _ generator: inout Generator) {
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, at + Int.random(in: 1...8, using: &generator))
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes[at] = Self.interesting.randomElement(using: &generator) ?? 0
            case 3: bytes.insert(Self.interesting.randomElement(using: &generator) ?? 0, at: at)
            case 4: bytes.remove(at: at)
            case 5: bytes.removeSubrange(at..<end)
            case 6: bytes.insert(contentsOf: Array(bytes[at..<end]), at: at)
            default:
                bytes.insert(
                    contentsOf: [UInt8](
                        repeating: 0x20, count: Int.random(in: 1...70, using: &generator)), at: at)
            }
        }
    }

    /// Numbers beyond a double are JSON, but Foundation refuses them.
    private func hasExponent(_ bytes: [UInt8]) -> Bool {
        zip(bytes, bytes.dropFirst()).contains { (0x30...0x39).contains($0) && $1 | 0x20 == 0x65 }
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func agreesWithTwoOracles(_ seed: UInt64) {
        let harness = Harness()
        var generator = Generator(state: seed)
        var accepted = 0
        for round in 0..<10_000 {
            var bytes = Self.samples[round % Self.samples.count]
            mutate(&bytes, &generator)
            let isValid = harness.isValid(bytes)
            let expected = StrictJSON.accepts(bytes)
            if isValid != expected {
                Issue.record("seed \(seed), round \(round): \(isValid) for \(bytes)")
            }
            let isEvent = harness.structured(bytes).failure == nil
            if isEvent, !expected {
                Issue.record("seed \(seed), round \(round): took \(bytes)")
            }
            let foundation = try? JSONSerialization.jsonObject(
                with: Data(bytes), options: [.fragmentsAllowed])
            if foundation == nil, isValid, !hasExponent(bytes) {
                Issue.record("seed \(seed), round \(round): Foundation refuses \(bytes)")
            }
            accepted += isEvent ? 1 : 0
            _ = harness.split(bytes)
        }
        // Both sides of the line must have been seen.
        #expect(accepted > 500 && accepted < 9_500)
    }

    @Test func splittingAgreesWithDecoding() throws {
        // What the strict reader takes for an array must be cut into elements that it takes too.
        let harness = Harness()
        var generator = Generator(state: 11)
        var arrays = 0
        for _ in 0..<10_000 {
            var bytes = Self.samples[3]
            mutate(&bytes, &generator)
            guard StrictJSON.accepts(bytes), case .success(let elements) = harness.split(bytes)
            else { continue }
            arrays += 1
            let allGood = elements.allSatisfy { StrictJSON.accepts(Array($0.utf8)) }
            #expect(allGood)
            let rejoined = Array(("[" + elements.joined(separator: ",") + "]").utf8)
            #expect(harness.split(rejoined) == .success(elements))
        }
        #expect(arrays > 500)
    }
}
