internal import NIOHTTP1

/// What the edge reads out of a request head, found in one pass over its fields.
struct HeadFacts {
    var hostCount = 0
    var contentLength: Int?
    var isChunked = false
    var expect: String?
    var requestID: String?
    var authorization: String?
    var contentType: String?
    var contentEncoding: String?
    var idempotencyKey: String?
    var asksForUpgrade = false
    /// Browsers say which page a request comes from; no other client does.
    var hasOrigin = false

    init(_ head: HTTPRequestHead) {
        for (name, value) in head.headers {
            // The length alone tells most fields apart.
            switch name.utf8.count {
            case 4 where name.isField("host"): hostCount += 1
            case 6 where name.isField("expect"): expect = value
            case 6 where name.isField("origin"): hasOrigin = true
            case 7 where name.isField("upgrade"): asksForUpgrade = true
            case 12 where name.isField("content-type"): contentType = value
            case 12 where name.isField("x-request-id"): requestID = Self.checkedID(value)
            case 13 where name.isField("authorization"): authorization = value
            case 14 where name.isField("content-length"): contentLength = Int(value)
            case 15 where name.isField("idempotency-key"): idempotencyKey = value
            case 16 where name.isField("content-encoding"): contentEncoding = value
            case 17 where name.isField("transfer-encoding"): isChunked = true
            default: break
            }
        }
    }

    var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

    /// An id that can go back into a header and into a log line as it is; nil otherwise.
    private static func checkedID(_ value: String) -> String? {
        let isSound =
            (1...128).contains(value.utf8.count)
            && value.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isSound ? value : nil
    }
}

extension String {
    /// Equal to a lower-case field name, whatever the case of the letters.
    @inline(__always)
    func isField(_ name: StaticString) -> Bool {
        var index = 0
        // SAFETY: a static string's bytes live as long as the program; `index` stays below their
        // number because the caller has compared the lengths.
        let expected = unsafe name.utf8Start
        for byte in utf8 {
            if unsafe byte | 0x20 != expected[index] { return false }
            index += 1
        }
        return true
    }
}
