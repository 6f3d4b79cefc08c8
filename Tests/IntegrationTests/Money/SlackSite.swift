import MeteringModel
import Synchronization

/// Slack's end of an incoming webhook. It checks what Slack asks of posts, and answers `ok` unless
/// it was told to be otherwise.
final class SlackSite: Sendable {
    struct Call: Sendable {
        var at: ContinuousClock.Instant
        var isTaken: Bool
        /// Texts of the sections, one after the other.
        var sections: [String]
    }

    private struct State {
        var mood: HTTPStandIn.Reply?
        var calls: [Call] = []
        var problems: [String] = []
    }

    private let path: String
    private let state = Mutex(State())

    init(path: String) { self.path = path }

    var calls: [Call] { state.withLock { $0.calls } }
    /// Rules of Slack that were broken.
    var problems: [String] { state.withLock { $0.problems } }
    /// Lines of the posts that were taken, in order.
    var lines: [String] {
        calls.filter(\.isTaken).flatMap(\.sections).flatMap {
            $0.split(separator: "\n").map(String.init)
        }
    }

    /// - Parameter reply: of every call from now on; nil: `ok`.
    func answer(_ reply: HTTPStandIn.Reply?) { state.withLock { $0.mood = reply } }

    func take(_ request: HTTPStandIn.Request) -> HTTPStandIn.Reply {
        state.withLock { state in
            let post = try? JSONParser.parse(request.body)
            let blocks = post?["blocks"]?.elements ?? []
            state.problems += problems(with: request, text: post?["text"]?.text, blocks)
            state.calls.append(
                Call(
                    at: .now, isTaken: state.mood == nil,
                    sections: blocks.compactMap { $0["text"]?["text"]?.text }))
            return state.mood ?? .answer(200, body: "ok")
        }
    }

    private func problems(
        with request: HTTPStandIn.Request, text: String?, _ blocks: [JSONValue]
    ) -> [String] {
        var problems: [String] = []
        if request.method != "POST" || request.path != path {
            problems.append("\(request.method) \(request.path)")
        }
        let type = request.headers["content-type"] ?? ""
        if type != "application/json" { problems.append("content-type: \(type)") }
        if text?.isEmpty ?? true { problems.append("no_text") }
        if !(1...50).contains(blocks.count) { problems.append("\(blocks.count) blocks") }
        for block in blocks {
            let section = block["text"]?["text"]?.text ?? ""
            if block["type"]?.text != "section" || block["text"]?["type"]?.text != "mrkdwn"
                || !(1...3_000).contains(section.count)
            {
                problems.append("invalid_blocks: \(block)")
            }
        }
        let texts = [text ?? ""] + blocks.compactMap { $0["text"]?["text"]?.text }
        return problems + texts.filter { !Self.isEscaped($0) }.map { "not escaped: \($0)" }
    }

    /// Slack's three control characters stand only where they mean something to Slack: nowhere here.
    private static func isEscaped(_ text: String) -> Bool {
        var rest = text
        for entity in ["&amp;", "&lt;", "&gt;"] { rest = rest.replacing(entity, with: "") }
        return !rest.contains { "&<>".contains($0) }
    }
}
