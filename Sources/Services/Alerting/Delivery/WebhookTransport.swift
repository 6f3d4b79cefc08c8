import MeteringModel
package import MeteringPorts

/// Standard Webhooks: the body as it is, an id that stays, a signature over both and the time.
package struct WebhookTransport: AlertTransport {
    private let http: any OutboundHTTP
    private let secrets: EndpointSecrets
    private let clock: WallClock

    package init(http: any OutboundHTTP, secrets: EndpointSecrets, clock: WallClock) {
        self.http = http
        self.secrets = secrets
        self.clock = clock
    }

    package func send(_ parcel: AlertParcel, to endpoint: AlertEndpoint) async -> AlertVerdict {
        let now = clock.now()
        let signature: String?
        do throws(LedgerError) {
            signature = try secrets.signatures(
                endpoint.id, id: parcel.id, timestamp: now.seconds, body: parcel.body, at: now)
        } catch {
            return AlertVerdict(
                .retry(isThrottled: false, afterSeconds: nil),
                detail: "not sent: the alert store cannot be read")
        }
        guard let signature else {
            return AlertVerdict(
                .retry(isThrottled: false, afterSeconds: nil),
                detail: "not sent: the endpoint has no secret that can be used; make one with "
                    + "POST /v1/alert-endpoints/\(endpoint.id)/secret")
        }
        let own = [
            OutboundHeader("content-type", "application/json"),
            OutboundHeader("webhook-id", parcel.id),
            OutboundHeader("webhook-timestamp", String(now.seconds)),
            OutboundHeader("webhook-signature", signature),
        ]
        do throws(OutboundFailure) {
            let response = try await http.send(
                OutboundRequest(
                    url: endpoint.url, headers: own + endpoint.headers, body: parcel.body,
                    timeoutSeconds: endpoint.timeoutSeconds))
            return AnswerReading.verdict(response, at: clock.now())
        } catch {
            return AnswerReading.verdict(error)
        }
    }
}
