import EventDecoding

typealias Attribute = DecodedEvent.Attribute
typealias Kind = DecodedEvent.ValueKind

/// What a decoded event said, copied so that it can be compared.
struct Snapshot: Equatable {
    struct Value: Equatable {
        var kind: Kind
        var text: String
        init(_ kind: Kind, _ text: String = "") {
            self.kind = kind
            self.text = text
        }
    }
    var attributes: [Attribute: String] = [:]
    var values: [Value] = []

    init() {}

    init(_ event: borrowing DecodedEvent, slotCount: Int) {
        for attribute in Attribute.allCases where event.has(attribute) {
            attributes[attribute] = event.withAttribute(attribute) { text($0) }
        }
        for slot in 0..<slotCount {
            values.append(event.withValue(slot) { Value($0, text($1)) })
        }
    }
}

func text(_ span: RawSpan) -> String {
    String(decoding: (0..<span.byteCount).map { span.byte($0) }, as: UTF8.self)
}

extension RawSpan {
    func byte(_ offset: Int) -> UInt8 {
        // SAFETY: the load is bounds-checked and a byte has no bad values.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}

/// Runs `body` on an allocation of exactly these bytes, so that an address sanitizer sees every
/// read beyond them.
func withExactBytes<R>(_ bytes: [UInt8], _ body: (RawSpan) -> R) -> R {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { unsafe buffer.deallocate() }
    unsafe buffer.copyBytes(from: bytes)
    return unsafe body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(buffer)))
}

let defaultPaths = [["total_tokens"], ["model"], ["usage", "total"], ["usage"], []]

final class Harness {
    let decoder: EventDecoder
    let slotCount: Int

    init(_ paths: [[String]] = defaultPaths, maximumBytes: Int = 1 << 20) {
        decoder = EventDecoder(plan: DecodePlan(paths: paths), maximumBytes: maximumBytes)
        slotCount = paths.count
    }

    func structured(_ bytes: [UInt8]) -> Result<Snapshot, DecodeFailure> {
        withExactBytes(bytes) { span in
            do throws(DecodeFailure) {
                return .success(
                    try decoder.decodeStructured(span) { Snapshot($0, slotCount: slotCount) })
            } catch {
                return .failure(error)
            }
        }
    }

    func structured(_ json: String) -> Result<Snapshot, DecodeFailure> {
        structured(Array(json.utf8))
    }

    func binary(
        _ headers: [UInt8], _ data: [UInt8], isNull: Bool = false
    ) -> Result<Snapshot, DecodeFailure> {
        withExactBytes(headers) { headers in
            withExactBytes(data) { data in
                do throws(DecodeFailure) {
                    return .success(
                        try decoder.decodeBinary(headers: headers, data: data, isNull: isNull) {
                            Snapshot($0, slotCount: slotCount)
                        })
                } catch {
                    return .failure(error)
                }
            }
        }
    }

    func isValid(_ bytes: [UInt8]) -> Bool {
        withExactBytes(bytes) { span in
            do throws(DecodeFailure) {
                try decoder.validate(span)
                return true
            } catch {
                return false
            }
        }
    }

    func split(
        _ bytes: [UInt8], maximumEvents: Int = 100, each: (RawSpan) -> Void = { _ in }
    ) -> Result<[String], DecodeFailure> {
        withExactBytes(bytes) { span in
            var elements: [String] = []
            do throws(DecodeFailure) {
                let count = try decoder.forEachInBatch(span, maximumEvents: maximumEvents) {
                    precondition($0 == elements.count)
                    elements.append(text($1))
                    each($1)
                }
                precondition(count == elements.count)
                return .success(elements)
            } catch {
                return .failure(error)
            }
        }
    }
}

extension Result where Failure == DecodeFailure {
    var failure: DecodeFailure? {
        if case .failure(let failure) = self { failure } else { nil }
    }
}

/// An event with the given members besides the required four.
func event(_ more: String = "") -> String {
    #"{"specversion":"1.0","id":"e-1","source":"/api","type":"llm.request""#
        + (more.isEmpty ? "" : "," + more) + "}"
}

let sample =
    #"{"specversion":"1.0","id":"0190a5c4-7b1e-7cc2-9a51-3f2b7c9d1e10","source":"/api","#
    + #""type":"llm.request","subject":"key_123","time":"2026-11-21T10:15:02.120Z","#
    + #""data":{"total_tokens":4818,"model":"m1"}}"#

/// Headers in flat form, written out here once more so that the reader is checked against the
/// format and not against itself.
func flatHeaders(_ headers: [(String, [UInt8]?)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (name, value) in headers {
        let nameLength = UInt16(name.utf8.count)
        bytes += [UInt8(nameLength & 0xFF), UInt8(nameLength >> 8)] + Array(name.utf8)
        let length = value.map { UInt32($0.count) } ?? .max
        bytes += (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * UInt32($0))) }
        bytes += value ?? []
    }
    return bytes
}

func flatHeaders(_ headers: [(String, String)]) -> [UInt8] {
    flatHeaders(headers.map { ($0.0, Array($0.1.utf8)) })
}

struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
