import MeteringModel
package import MeteringPorts

/// Slack's incoming webhooks: a line of text a message, several in one post.
package struct SlackTransport: AlertTransport {
    private static let sectionBytesMax = 2_900
    private static let sectionCountMax = 45
    private static let lineMax = 1_000
    private static let wordBytesMax = 64

    private let http: any OutboundHTTP
    private let secrets: EndpointSecrets
    private let clock: WallClock

    package init(http: any OutboundHTTP, secrets: EndpointSecrets, clock: WallClock) {
        self.http = http
        self.secrets = secrets
        self.clock = clock
    }

    package func send(_ parcel: AlertParcel, to endpoint: AlertEndpoint) async -> AlertVerdict {
        var url = endpoint.url
        if let reference = endpoint.sealedAddress {
            guard let whole = try? secrets.address(reference) else {
                return AlertVerdict(
                    .retry(isThrottled: false, afterSeconds: nil),
                    detail: "not sent: the address cannot be decrypted; put the url again")
            }
            url = whole
        }
        do throws(OutboundFailure) {
            let response = try await http.send(
                OutboundRequest(
                    url: url, headers: [OutboundHeader("content-type", "application/json")],
                    body: Self.body(parcel.members), timeoutSeconds: endpoint.timeoutSeconds))
            return Self.verdict(response, at: clock.now())
        } catch {
            return AnswerReading.verdict(error)
        }
    }

    static func verdict(_ response: OutboundResponse, at now: Timestamp) -> AlertVerdict {
        var response = response
        let word = AnswerReading.printable(response.body)
        // Slack answers in one word. Anything longer comes from something on the way, which may
        // repeat the address.
        if !isWord(word) { response.body = [] }
        let meaning: [String: String] = [
            "no_team": "the workspace was deleted in Slack",
            "no_service": "the webhook was removed in Slack; make another and put its url",
            "no_active_hooks": "the webhook was switched off in Slack",
            "channel_not_found": "the channel was deleted in Slack",
            "channel_is_archived": "the channel is archived in Slack",
            "action_prohibited": "an administrator of Slack forbids the post",
            "posting_to_general_channel_denied": "posts to the general channel are forbidden",
            "invalid_token": "Slack does not know the webhook; put its url again",
        ]
        if let meaning = meaning[word], response.status >= 400 {
            return AlertVerdict(
                .gone, status: response.status, detail: "\(word): \(meaning)")
        }
        return AnswerReading.verdict(response, at: now)
    }

    private static func isWord(_ text: String) -> Bool {
        text.utf8.count <= wordBytesMax
            && text.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_")
            }
    }

    // MARK: text

    static func body(_ messages: [AlertMessage]) -> [UInt8] {
        let lines = messages.map(line)
        let title = lines.count == 1 ? lines[0] : "\(lines.count) alerts"
        var sections: [String] = []
        for line in lines {
            if let last = sections.last,
                last.utf8.count + line.utf8.count < sectionBytesMax
            {
                sections[sections.count - 1] = last + "\n" + line
            } else {
                sections.append(line)
            }
        }
        let blocks = sections.prefix(sectionCountMax).map { text in
            JSONValue.object([
                "type": .string("section"),
                "text": .object(["type": .string("mrkdwn"), "text": .string(text)]),
            ])
        }
        return JSONValue.object(["text": .string(title), "blocks": .array(blocks)]).canonicalBytes
    }

    private static func line(_ message: AlertMessage) -> String {
        let data = (try? JSONParser.parse(Array(message.body.utf8)))?["data"]
        var text = "*\(escaped(words(message.type)))*"
        if let customer = message.customer { text += " \(escaped(customer.rawValue))" }
        if let feature = message.feature { text += " · \(escaped(feature.rawValue))" }
        if let threshold = data?["threshold"]?.text { text += " · \(escaped(threshold))" }
        if let used = data?["used_after"]?.digits {
            text += " · \(escaped(used)) used"
            if let limit = data?["limit"]?.digits { text += " of \(escaped(limit))" }
        }
        if let reason = data?["reason"]?.text ?? data?["text"]?.text {
            text += " · \(escaped(String(reason.prefix(500))))"
        }
        text += " · \(message.at.rfc3339())"
        return cut(text)
    }

    /// Cut where it is too long, and not within an entity.
    private static func cut(_ text: String) -> String {
        var head = text.prefix(lineMax)
        if head.endIndex != text.endIndex, let start = head.lastIndex(of: "&"),
            !head[start...].contains(";")
        {
            head = head[..<start]
        }
        return String(head)
    }

    private static func words(_ type: String) -> String {
        switch type {
        case "usage.threshold.warning": "Nearing the limit"
        case "quota.exhausted": "Limit reached"
        case "usage.threshold.reached": "Over the limit"
        case "usage.threshold.resolved": "No longer over the threshold"
        case "alerts.test": "Test message"
        default: type
        }
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;")
    }
}
