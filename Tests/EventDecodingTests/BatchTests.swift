import EventDecoding
import Testing

@Suite("Batches")
struct BatchTests {
    let harness = Harness()

    @Test func elementsComeOutAsTheyWereWritten() throws {
        let elements = [
            event(), "5", "null", #""a,]b\"""#, "[1,[2,{}]]", "{}", "nul", "{ \"a\" : [ ] }", "01",
        ]
        for space in ["", " ", "\n\t "] {
            let batch =
                space + "[" + space + elements.joined(separator: space + "," + space) + space + "]"
                + space
            #expect(try harness.split(Array(batch.utf8)).get() == elements)
        }
        #expect(try harness.split(Array("[]".utf8)).get() == [])
        #expect(try harness.split(Array(" [ ] ".utf8)).get() == [])
    }

    @Test func elementsFailAlone() throws {
        var results: [DecodeFailure?] = []
        let bad = Array(event(#""a":""#).utf8.dropLast()) + [0xFF, 0x22, 0x7D]
        let deep = event(
            #""a":"# + String(repeating: "[", count: 20) + String(repeating: "]", count: 20))
        var batch = Array("[".utf8)
        for element in [Array(sample.utf8), bad, Array("{\"id\" 1}".utf8), Array(deep.utf8)] {
            batch += element + Array(",".utf8)
        }
        batch += Array((sample + "]").utf8)
        _ = try harness.split(batch) { element in
            do throws(DecodeFailure) {
                let tokens = try harness.decoder.decodeStructured(element) { event in
                    event.withValue(0) { text($1) }
                }
                #expect(tokens == "4818")
                results.append(nil)
            } catch {
                results.append(error)
            }
        }.get()
        #expect(results == [nil, .invalidUTF8, .malformed, .tooDeep, nil])
    }

    @Test(arguments: [
        "", " ", "{}", "null", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[1]]",
        "[[1]", "[{]}", "[{}}", "[1]x", "[1],", "x[1]", "[1:2]", "[:]", #"["a]"#, "[\"a\nb\"]",
        "[1}", "{]", "[{},{\"a\":[}]", "[][]",
    ])
    func brokenArraysHandNothingOver(_ batch: String) {
        var count = 0
        let found = harness.split(Array(batch.utf8)) { _ in count += 1 }
        #expect(found == .failure(.malformedBatch))
        #expect(count == 0)
    }

    @Test func everyTruncationHandsNothingOver() {
        let batch = Array("[\(sample),\(event(#""a":[{"b":[]}]"#)), 7 ]".utf8)
        for length in 0..<batch.count {
            let found = harness.split(Array(batch[..<length]))
            if found != .failure(.malformedBatch) { Issue.record("\(length): \(found)") }
        }
    }

    @Test func limits() throws {
        let batch = Array("[\(Array(repeating: "{}", count: 100).joined(separator: ","))]".utf8)
        #expect(try harness.split(batch, maximumEvents: 100).get().count == 100)
        #expect(harness.split(batch, maximumEvents: 99) == .failure(.tooManyEvents))
        #expect(harness.split(Array("[]".utf8), maximumEvents: 0) == .success([]))
        let deep = String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000)
        #expect(harness.split(Array(deep.utf8)) == .failure(.tooDeep))
        let short = EventDecoder(plan: DecodePlan(paths: []), maximumBatchBytes: 4)
        _ = withExactBytes(Array("[1,2]".utf8)) { span in
            #expect(throws: DecodeFailure.tooLarge) {
                try short.forEachInBatch(span, maximumEvents: 9) { _, _ in }
            }
        }
    }

    @Test func aLongBatchLeavesTheDecoderUsable() throws {
        let batch = Array(
            "[\(Array(repeating: sample, count: 10_000).joined(separator: ","))]".utf8)
        for _ in 0..<2 {
            var decoded = 0
            let found = try harness.split(batch, maximumEvents: 10_000) { element in
                do throws(DecodeFailure) {
                    decoded += try harness.decoder.decodeStructured(element) { $0.has(.id) ? 1 : 0 }
                } catch {
                    Issue.record("\(error)")
                }
            }.get()
            #expect(found.count == 10_000)
            #expect(decoded == 10_000)
        }
    }
}
