# /etc/dovecot/sieve/imip-gateway.sieve; then: sievec /etc/dovecot/sieve/imip-gateway.sieve
# A copy of each mail with a calendar part goes to the gateway; the mail itself is delivered as ever.
require ["vnd.dovecot.pipe", "copy", "variables", "envelope", "mime", "foreverypart"];

# The sender stands in <>, since an empty word would end the list of arguments on its way through the socket.
foreverypart {
  if header :mime :contenttype "Content-Type" ["text/calendar", "application/ics", "text/x-vcalendar"] {
    if envelope :matches "from" "*" { set "from" "${1}"; }
    if envelope :matches "to" "*" { set "to" "${1}"; }
    pipe :copy "imip-gateway-submit" ["<${from}>", "${to}"];
    break;
  }
}
