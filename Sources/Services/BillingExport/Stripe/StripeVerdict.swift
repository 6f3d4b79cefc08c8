import MeteringModel

/// What an answer of Stripe means for the event that was sent.
enum StripeVerdict: Sendable, Hashable {
    case accepted(String)
    /// Never will be.
    case refused(String)
    /// Certainly not taken now. `isForAll`: nothing else would be either.
    case notTaken(String, retryAfterSeconds: Int64?, isForAll: Bool)
    case unknown(String, retryAfterSeconds: Int64?)

    private static let messageBytesMax = 300

    init(_ response: StripeResponse) {
        let (message, code, type) = Self.error(in: response.body)
        let text = message.map { "\(response.status): \($0)" } ?? "\(response.status)"
        let wait = response.retryAfterSeconds
        switch response.status {
        case 200...299: self = .accepted(text)
        case 401, 403:
            // Stripe's own words may quote the key.
            self = .notTaken(
                "\(response.status): Stripe does not accept the secret key, or the key may not"
                    + " write meter events", retryAfterSeconds: wait, isForAll: true)
        case 429: self = .notTaken(text, retryAfterSeconds: wait, isForAll: code == "rate_limit")
        case 400 where Self.isRepetition(code, message):
            // Stripe has the identifier already: from a call whose answer was lost.
            self = .accepted(text)
        case 409: self = .unknown(text, retryAfterSeconds: wait)
        case 400...499: self = .refused(type == nil ? text : "\(text) (\(type ?? ""))")
        case 500...599: self = .unknown(text, retryAfterSeconds: wait)
        default: self = .refused("\(response.status): is --stripe-api-base the API of Stripe?")
        }
    }

    init(_ error: StripeTransportError) {
        let text = Self.printable(error.message)
        self =
            error.isOutcomeUnknown
            ? .unknown(text, retryAfterSeconds: nil)
            : .notTaken(text, retryAfterSeconds: nil, isForAll: false)
    }

    private static func isRepetition(_ code: String?, _ message: String?) -> Bool {
        code == "duplicate_meter_event"
            || message?.contains("already exists with identifier") ?? false
    }

    private static func error(
        in body: [UInt8]
    ) -> (message: String?, code: String?, type: String?) {
        guard let document = try? JSONParser.parse(body), let error = document["error"] else {
            return (nil, nil, nil)
        }
        return (error["message"]?.text.map(printable), error["code"]?.text, error["type"]?.text)
    }

    /// What others wrote is kept short and without control characters.
    private static func printable(_ text: String) -> String {
        let scalars = text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }
        var short = ""
        for scalar in scalars {
            if short.utf8.count >= messageBytesMax { break }
            short.unicodeScalars.append(scalar)
        }
        return short
    }
}
