import MeteringModel
import MeteringPorts

/// What an answer means, and how much of it people are shown.
enum AnswerReading {
    private static let textMax = 200

    static func verdict(_ response: OutboundResponse, at now: Timestamp) -> AlertVerdict {
        let status = response.status
        switch status {
        case 200..<300:
            return AlertVerdict(.delivered, status: status, detail: "delivered")
        case 300..<400:
            return AlertVerdict(
                .retry(isThrottled: false, afterSeconds: nil), status: status,
                detail: "a redirect, which is not followed: give the final address as url")
        case 410:
            return AlertVerdict(
                .gone, status: status, detail: "the endpoint answered 410 Gone")
        default:
            return AlertVerdict(
                .retry(
                    isThrottled: [429, 502, 503, 504].contains(status),
                    afterSeconds: response.header("Retry-After").flatMap { seconds($0, now) }),
                status: status, detail: detail(response))
        }
    }

    static func verdict(_ failure: OutboundFailure) -> AlertVerdict {
        AlertVerdict(
            .retry(isThrottled: false, afterSeconds: nil),
            detail: "\(failure.code.rawValue): \(printable(Array(failure.message.utf8)))")
    }

    private static func detail(_ response: OutboundResponse) -> String {
        let text = printable(response.body)
        return text.isEmpty ? "answered \(response.status)" : "answered \(response.status): \(text)"
    }

    /// Foreign text for the delivery log: its first printable ASCII characters.
    static func printable(_ bytes: [UInt8]) -> String {
        String(
            decoding: bytes.prefix(textMax).filter { (0x20...0x7E).contains($0) }, as: UTF8.self)
    }

    /// `Retry-After`: seconds, or an instant as HTTP writes it.
    static func seconds(_ text: String, _ now: Timestamp) -> Int64? {
        if let seconds = Int64(text) { return max(0, seconds) }
        // Sun, 06 Nov 1994 08:49:37 GMT
        let parts = text.split(separator: " ")
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        guard parts.count == 6, parts[5] == "GMT", parts[1].utf8.count == 2,
            let month = months.firstIndex(of: String(parts[2])),
            let instant = Timestamp(
                rfc3339: "\(parts[3])-\(month < 9 ? "0" : "")\(month + 1)-\(parts[1])T\(parts[4])Z")
        else { return nil }
        return max(0, instant.seconds - now.seconds)
    }
}
