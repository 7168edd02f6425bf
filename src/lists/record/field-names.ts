/**
 * The names that lists and tools use, the best first, as {@link plainName} writes them; a row has the words of one language.
 * A name that could mean something else in a list with a login, such as `nombre`, is left out.
 */
const NAMES = {
  host: `entrypoint host hostname ip ipaddress address addr proxyaddress proxyhost proxyip server hostip serverip serveraddress
    serverhost proxyserver ipv4 ipaddr iphost iphostname hostnameip
    ipadresse adresse rechner rechnername hostadresse
    hote serveur adresseip nomhote
    direccion direccionip servidor anfitrion
    endereco enderecoip
    indirizzo indirizzoip
    хост адрес ipадрес айпи сервер прокси
    主机 主机名 地址 ip地址 代理地址 代理ip 服务器 服务器地址 主機 伺服器 位址
    adres ipadres serwer sunucu ホスト サーバー アドレス ipアドレス 호스트 주소 서버`,
  port: `port proxyport serverport portnumber portnr
    puerto porta порт 端口 端口号 代理端口 連接埠 埠 poort ポート ポート番号 포트`,
  url: `proxy proxyurl url uri proxyuri proxystring connectionstring ipport hostport addressport proxyipport serverurl endpoint ipportuserpass
    hostportuserpass ipportusernamepassword hostportusernamepassword ipportloginpassword ipportloginpass
    userpassipport userpasshostport fullproxy proxyfull`,
  protocol: `protocol protocols proto protos proxyprotocol proxyprotocols scheme schemes proxytype proxytypes type types
    typ protokoll protokolle proxytyp
    protocole typedeproxy typeproxy
    protocolo protocolos tipo tipodeproxy
    protocollo
    протокол тип типпрокси
    协议 类型 代理类型 代理协议 協議 類型
    protokol protokoł プロトコル 種類 프로토콜 유형 mode`,
  username: `username user login proxyusername proxyuser usr uname usernm proxylogin proxyusr authusername authuser
    authlogin credentialsusername credentialsuser loginname loginuser account accountname acct accountusername
    benutzername benutzer nutzername nutzer anmeldename
    utilisateur nomutilisateur nomdutilisateur identifiant
    usuario nombredeusuario nombreusuario
    nomedeusuario nomeusuario utilizador nomedeutilizador
    utente nomeutente
    логин имяпользователя пользователь
    用户名 用户 账号 账户 帐号 帐户 登录名 用戶名 帳號 使用者名稱
    gebruiker gebruikersnaam uzytkownik użytkownik nazwauzytkownika kullanici kullaniciadi kullanıcı kullanıcıadı
    ユーザー名 ユーザー 사용자이름 사용자명 아이디`,
  password: `password pass passwd pwd pw proxypassword proxypass proxypasswd proxypwd authpassword authpass authpwd
    credentialspassword credentialspass accountpassword
    passwort kennwort
    motdepasse mdp
    contrasena contrasenia clave
    senha palavrapasse
    parolachiave
    пароль
    密码 密碼 口令
    wachtwoord haslo hasło sifre parola パスワード 비밀번호 암호`,
  login: `auth authentication authorization authinfo authdata credentials credential creds cred proxyauth
    proxyauthentication proxyauthorization proxycredentials logindata logininfo basicauth
    userpass usernamepassword userpwd userpassword loginpass loginpassword loginpwd
    zugangsdaten anmeldedaten identifiants credenciales credenciais credenziali учетныеданные 用户名密码 账号密码`,
  name: 'name title label remarks remark alias nickname proxyname bezeichnung название 备注 名称',
  region: 'region',
  status: 'status',
  country: `countrycode countryisocode isocode country code cc countryname countryiso iso2
    land landercode pays pais paese страна 国家 國家 kraj ulke 국가`,
  city: 'city cityname stadt ville ciudad cidade citta город 城市',
  area: 'regionname state statename georegion province',
  latitude: 'latitude lat',
  longitude: 'longitude lon lng',
  asn: 'asn autonomoussystemnumber asnumber asnnumber as',
  timezone: 'timezone',
  time: `latency ping responsetime resptime avgresponsetime avgresptime averageresponsetime avglatency averagelatency
    averagetimeout avgtimeout timeout delay avgdelay averagedelay rtt duration connecttime connectiontime
    antwortzeit latenz verzogerung latence delai latencia tempoderesposta tiempoderespuesta
    задержка времяотклика 延迟 响应时间 延遲`,
  tls: 'tls',
  http: 'http ishttp supportshttp supporthttp',
  https: 'https ishttps supportshttps supporthttps ssl isssl supportsssl supportssl',
  socks: 'socks issocks supportssocks socksversion socksver',
  socks4: 'socks4 issocks4 supportssocks4 supportsocks4',
  socks5: 'socks5 issocks5 supportssocks5 supportsocks5',
  remoteDns: 'remotedns',
  proxyDns: 'proxydns',
  weight: 'weight proxyweight gewicht 权重',
  gateway: 'gateway isgateway',
  rotateUrl: 'rotateurl',
  nested: 'geolocation geo geoip ipdata ipinfo geodata location',
  inner: 'userproxyconfig proxyconfig proxyconfiguration proxysettings proxysetting proxyinfo proxydata',
  escaped: 'escaped',
};

/** What a column or member of a record may mean. */
export type Field = keyof typeof NAMES;

export interface Meaning {
  field: Field | null;
  /** Of several names of one field, the lowest counts. */
  rank: number;
  /** The unit that the name gives a response time. */
  unit?: 'ms' | 's';
  /** Unknown, and it looks as if it held a login. */
  isLoginLike: boolean;
}

/** The change-IP links of mobile proxies: `changeIpLink`, `reset_url`, `proxy_change_ip_url`. */
const ROTATE_URL =
  /^(?:proxy)?(?:ip)?(?:rotat(?:e|ion|ing)|change|reset|refresh|reboot|restart|renew|reconnect)(?:my)?(?:ip|proxy)?(?:address)?(?:url|link|uri|href)$/;

/** The unit at the end of a name; `s` alone only after a separator, since `timeouts` is a number of timeouts. */
const UNIT = /^(.*?)(?:in)?(ms|msec|msecs|millis|milliseconds?|sec|secs|seconds?|мс|сек|毫秒|秒)$/u;
const SHORT_SECONDS = /[\s_.([-]s[)\]]?$/i;

/** Parts of names under which a login may be, in many languages. */
const LOGIN_WORDS = `user usr pass pwd login logon signin auth cred secret token key account acct
  benutz nutzer anmeld kennwort zugang losung utilis identifiant mdp usuari contras clave nombre senha nome utente utiliz
  parola gebruik wachtwoord uzytkown użytkown hasł haslo kullan sifre логин парол польз имя учет ключ токен
  anvandar losenord brugernavn brukernavn adgangskode kayttaja salasana uzivatel heslo felhasznal jelszo користувач χρηστη
  κωδικ tendangnhap matkhau taikhoan katasandi pengguna codedacces codeacces accesscode zugriff geheim المستخدم المرور משתמש סיסמה
  用户 用戶 密码 密碼 账 帐 帳 口令 令牌 密钥 密鑰 使用者 ユーザ パスワード 사용자 비밀 암호 아이디`;
const LOGIN_LIKE = new RegExp(LOGIN_WORDS.trim().split(/\s+/).map(plainName).join('|'), 'u');

/** Names that hold no login, though a part of them looks like it. */
const NO_LOGIN =
  /useragent|usertype|users?count|bypass|pass(?:ed|es|ing|rate|count|ratio|through)|author(?!i[sz])|keyword|keyboard|keepalive|requiresauth|needsauth|authrequired|isauth|hasauth|authtype|authmethod|passiv/;

/** Names of what lists often have, and which is no part of a login. */
export const HARMLESS =
  /^(?:id|no|nr|num|number|index|isp|org|organi[sz]ation|provider|source|anonym.*|google|speed|score|alive|active|valid|working|hosting|mobile|proxy|proxysoft|continent.*|district|zip|postal.*|color|notes?|comments?|tags?|groups?|os|last.*|first.*|created.*|updated.*|expir.*|.*(?:date|time|at|checked|seen|count|rate|percent|up))$/;

const FIELDS: ReadonlyMap<string, Meaning> = new Map(
  Object.entries(NAMES).flatMap(([field, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name, rank) => [plainName(name), { field: field as Field, rank, isLoginLike: false }] as const),
  ),
);

/** No known name is longer. */
const MAX_NAME = 64;
/** Names repeat in every record, so that their meanings are kept; a hostile list has ever new ones. */
const MAX_KEPT = 2048;
const kept = new Map<string, Meaning>();

/** What a name means, in any case, script and punctuation. */
export function meaningOf(name: string): Meaning {
  const known = kept.get(name);
  if (known) return known;
  const meaning = findMeaning(name);
  if (name.length > MAX_NAME) return meaning;
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(name, meaning);
  return meaning;
}

export function fieldOf(name: string): Field | null {
  return meaningOf(name).field;
}

/** A name as it is compared: without case, accents, blanks and punctuation, in any script. */
export function plainName(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
    .normalize('NFC');
}

function findMeaning(name: string): Meaning {
  const plain = name.length > MAX_NAME ? '' : plainName(name);
  const known = FIELDS.get(plain);
  if (known) return known;
  if (ROTATE_URL.test(plain)) return { field: 'rotateUrl', rank: 1, isLoginLike: false };
  const [, base = '', unit = ''] = UNIT.exec(plain) ?? [];
  const time = FIELDS.get(base);
  // Before the same name without a unit.
  if (time?.field === 'time')
    return { ...time, rank: time.rank - 0.5, unit: /^m|^мс|^毫/.test(unit) ? 'ms' : 's' };
  const short = SHORT_SECONDS.test(name) ? FIELDS.get(plain.slice(0, -1)) : undefined;
  if (short?.field === 'time') return { ...short, rank: short.rank - 0.5, unit: 's' };
  // A longer name is not looked through: it may hold anything.
  const isLoginLike = name.length > MAX_NAME || (LOGIN_LIKE.test(plain) && !NO_LOGIN.test(plain));
  return { field: null, rank: 0, isLoginLike };
}
