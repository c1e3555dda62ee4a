//! Words that names of artists and songs are made of, by language. All lists were written for this project.

/// A language: its words, and how they are put together. In patterns `{n}` is a noun, `{a}` an adjective,
/// `{g}` a given name, `{f}` a family name; everything else stands for itself.
pub(super) struct Language {
    /// Share of artists, in percent.
    pub(super) share: u32,
    pub(super) given: &'static str,
    pub(super) family: &'static str,
    pub(super) nouns: &'static str,
    pub(super) adjectives: &'static str,
    pub(super) artists: &'static [&'static str],
    pub(super) titles: &'static [&'static str],
}

pub(super) const LANGUAGES: [Language; 13] = [
    Language {
        share: 58,
        given: "Ada Amber Arlo Beck Blythe Cass Clay Cleo Dario Della Dex Effie Ellis Faye Flint Gemma Gus Halle Hank Ida \
                Ike Jonas Juno Kit Lark Lena Lou Mabel Mack Nell Nico Odette Otis Pearl Percy Queenie Rex Rhea Roscoe Ruby \
                Sable Saul Tess Thea Ty Una Vance Vera Walt Wren Zane Zelda",
        family: "Abernathy Ashdown Barlow Beckett Birdsong Blackwood Calloway Carrow Castell Crane Daventry Dell Drake \
                 Eastman Fairweather Farrow Finch Gallow Gray Hale Harrow Holloway Ives Jessop Kestrel Lark Lockhart Marlowe \
                 Merriweather Nightingale North Oakes Pell Pryor Quill Ravenhill Rook Sable Sparrow Stanton Swift Thorne \
                 Tolliver Underhill Vale Vickery West Whitlock Winter Yarrow",
        nouns: "Anchor Arrow Ashes Autumn Avenue Balcony Ballad Beacon Bell Bird Blanket Boulevard Bridge Brother Candle \
                Canyon Carousel Cathedral Chapel Circus City Cloud Coast Comet Compass Country Crown Curtain Dancer Daughter \
                Daylight Desert Diamond Doorway Dream Drum Echo Ember Engine Evening Fable Feather Fever Field Fire Flame \
                Flower Forest Fortune Fountain Garden Ghost Glass Gold Gravity Harbor Heart Highway Hollow Honey Horizon House \
                Hurricane Island Jewel Journey Kingdom Ladder Lantern Letter Lightning Lion Machine Mansion Map Meadow Memory \
                Midnight Mirror Money Moon Morning Mountain Neon Night Ocean Orchard Orbit Paper Parade Passenger Pearl Picture \
                Pilot Planet Postcard Promise Radio Rain Rainbow Railway River Road Rocket Room Rose Sailor Satellite Secret \
                Shadow Ship Shoulder Signal Silence Sister Sky Smoke Snow Soldier Song Spark Spirit Star Station Stone Storm \
                Stranger Street Summer Sunday Sunrise Thunder Tide Tiger Tomorrow Tower Train Trouble Valley Velvet Village \
                Violin Voice Water Wave Weather Whisper Wind Window Winter Wire Wolf Wonder Yesterday",
        adjectives: "Ancient Better Bitter Blue Borrowed Bright Broken Burning Careless Cold Crooked Crystal Dangerous Deep \
                     Distant Easy Electric Empty Endless Faded Falling Fearless First Flying Foolish Forgotten Frozen Gentle \
                     Golden Green Happy Heavy Hidden Hollow Holy Honest Hungry Idle Last Lazy Little Lonely Long Lost Loud Lucky \
                     Magic Midnight Modern Naked New Open Paper Perfect Plastic Quiet Reckless Red Restless Rising Running \
                     Sacred Scarlet Second Secret Silent Silver Simple Sleeping Slow Small Soft Somber Southern Strange Sweet \
                     Tender Tiny Tired True Twisted Useless Velvet Violet Waiting Wandering Warm Wasted White Wicked Wild Wooden \
                     Yellow Young",
        artists: &[
            "{g} {f}",
            "{g} {f}",
            "{g} {f}",
            "The {a} {n}s",
            "The {n}s",
            "{a} {n}",
            "{n} & {n}",
            "{g} & the {n}s",
            "{n} {n}",
            "{g}",
            "{f}",
            "DJ {n}",
            "{a} {n}s",
            "The {f} Band",
        ],
        titles: &[
            "{n}",
            "{a} {n}",
            "{a} {n}",
            "The {n}",
            "The {a} {n}",
            "{n} of {n}",
            "{n}s and {n}s",
            "{a} {n}s",
            "My {a} {n}",
            "Your {n}",
            "{n} in the {n}",
            "Into the {n}",
            "No More {n}s",
            "Under the {a} {n}",
            "Waiting for the {n}",
            "When the {n} Is {a}",
            "One {a} {n}",
            "Like a {n}",
            "Dear {g}",
            "{g}'s {n}",
            "Don't Call It {n}",
            "{a} {n} (Live)",
            "{n}, Pt. 2",
            "{a} {n} (Acoustic)",
            "{n} ({g} {f} Remix)",
            "{a}, {a} {n}",
            "The \"{n}\" Song",
            "What the {n} Said",
            "Back to {n}",
            "{n} Never Sleeps",
        ],
    },
    Language {
        share: 9,
        given: "Álvaro Andrés Belén Camila Catalina Cruz Elías Esteban Fabián Gael Inés Iván Joaquín Julián Lucía Marisol Mateo \
                Nicolás Paloma Raúl Rocío Sebastián Sofía Tomás Valentín Ximena",
        family: "Aguirre Álvarez Benítez Cáceres Castaño Córdoba Durán Escobedo Fuentes Gálvez Ibáñez Jiménez Luján Márquez Montoya \
                 Núñez Ordóñez Peña Quiñones Ríos Saldívar Torreón Urrutia Valdés Zúñiga",
        nouns: "Corazón Noche Luna Sol Camino Cielo Fuego Mar Lluvia Sombra Canción Ciudad Verano Invierno Sueño Mañana Estrella \
                Viento Flor Espejo Guitarra Playa Ventana Carta Montaña Niña Río Tambor Adiós Jardín",
        adjectives: "Perdido Eterno Azul Rojo Lejano Secreto Dulce Amargo Salvaje Último Dormido Roto Oscuro Claro Frágil Pequeño \
                     Infinito Prohibido",
        artists: &["{g} {f}", "{g} {f}", "Los {n}s", "{n} {a}", "La {n}", "{g} y los {n}s", "{f}"],
        titles: &[
            "{n}",
            "{n} {a}",
            "Mi {n} {a}",
            "La {n}",
            "El {n} {a}",
            "{n} y {n}",
            "Tu {n}",
            "Sin {n}",
            "Bajo el {n}",
            "Cuando llega el {n}",
            "¿Dónde está mi {n}?",
            "De {n} en {n}",
        ],
    },
    Language {
        share: 5,
        given: "Aimée André Céline Chloé Colette Didier Éloïse Étienne François Gaël Hélène Jérôme Léa Loïc Maëlle Noémie Océane \
                Rémi Solène Théo Yves Zoé",
        family: "Beauchêne Bérard Brûlé Cartier Châtelain Delorme Duprée Évrard Fontaine Gautier Hébert Lefèvre Léger Maréchal Noël \
                 Pélissier Rousseau Séverin Thévenot Valère",
        nouns: "Amour Nuit Étoile Mer Été Hiver Pluie Forêt Rêve Lumière Ombre Chanson Fenêtre Île Cœur Matin Théâtre Rivière Fête \
                Naufrage Vélo Soirée Poème Écho",
        adjectives: "Bleu Perdu Secret Doré Léger Étrange Fidèle Lointain Brisé Célèbre Sincère Discret Tranquille",
        artists: &["{g} {f}", "{g} {f}", "Les {n}s", "La {n} {a}", "{n} {a}", "{g} et les {n}s"],
        titles: &[
            "{n}",
            "{n} {a}",
            "La {n}",
            "Mon {n} {a}",
            "Sous la {n}",
            "{n} et {n}",
            "Comme une {n}",
            "Où va la {n} ?",
            "Après la {n}",
            "Ça n'est qu'une {n}",
        ],
    },
    Language {
        share: 4,
        given: "Anke Björn Dörte Frieda Günther Heike Ilse Jörg Käthe Lüder Margarete Nils Ölrun Rüdiger Sören Trude Ulrike Wölfi",
        family: "Ackermann Böhm Dürr Eichhorn Förster Größling Hübner Jäger König Lüdtke Möller Nüßlein Ötting Pfeiffer Rößler Schäfer \
                 Töpfer Überling Vogt Weißmann",
        nouns: "Nacht Straße Träume Himmel Mädchen Frühling Wölfe Brücke Fluss Herz Zug Küste Märchen Größe Schatten Stern Wüste Tür \
                Glück Gewitter",
        adjectives: "Große Kleine Müde Süße Leere Schöne Ferne Kühle Stille Blaue Verlorene Glühende",
        artists: &["{g} {f}", "Die {a} {n}", "{n} & {n}", "{f}", "{a} {n}"],
        titles: &[
            "{n}",
            "{a} {n}",
            "Meine {a} {n}",
            "{n} und {n}",
            "Über die {n}",
            "Für {g}",
            "Ohne {n}",
            "Wenn die {n} fällt",
        ],
    },
    Language {
        share: 4,
        given: "João Inês Antônio Conceição Estêvão Glória Luís Mônica Otávio Patrícia Sérgio Tânia Vinícius Zélia Cauã Thaís",
        family: "Araújo Brandão Conceição Falcão Gonçalves Leão Magalhães Nóbrega Paixão Queirós Simões Trovão Vilaça",
        nouns: "Coração Canção Manhã Saudade Praia Estação Paixão Verão Lágrima Avião Irmão Balão Sertão Chão Pão Luar Maçã",
        adjectives: "Azul Perdido Distante Só Feliz Último Doce Ligeiro Antigo Fácil",
        artists: &["{g} {f}", "Os {n}s", "{n} {a}", "{g} e {f}"],
        titles: &["{n}", "{n} {a}", "Meu {n}", "{n} de {n}", "Até a {n}", "Não é {n}", "Minha {n} {a}"],
    },
    Language {
        share: 3,
        given: "Łukasz Zofia Małgorzata Błażej Jiří Žofie Šimon Anežka Çağla Gökhan İpek Ömer Şule Åsa Øyvind Søren Þóra Ægir Ștefan Mihály Zsófia",
        family: "Wójcik Świątek Żuraw Dvořák Růžička Čermák Yıldız Öztürk Güneş Ångström Bjørnstad Ødegård Jónsdóttir Țepeș Kővári Szűcs",
        nouns: "Miłość Księżyc Łódź Světlo Růže Řeka Gökyüzü Yağmur Şarkı Hjärta Älv Fjäll Sjø Bølge Ljós Þoka Élet Tűz Vânt Mașină",
        adjectives: "Żółty Świeży Ztracený Tichý Gümüş Güzel Blå Själv Stjärnklar Ørliten Kék Szép",
        artists: &["{g} {f}", "{g} {f}", "{n}", "{a} {n}", "{n} i {n}"],
        titles: &["{n}", "{a} {n}", "{n}, {n}", "{n} 99", "{n} {a} {n}"],
    },
    Language {
        share: 4,
        given: "Алёна Борис Вера Глеб Дарья Егор Жанна Захар Инна Кирилл Лев Марина Никита Оксана Павел Раиса Соня Тимур Ульяна Фёдор Юлия Яков",
        family: "Белов Ветров Громов Дождева Зимин Июльский Ключевская Лунёв Морозов Ночной Огнев Полярная Рассветов Степной Туманова Чайкин",
        nouns: "Ночь Река Дорога Зима Весна Звезда Город Ветер Окно Поезд Сердце Снег Море Письмо Голос Мост Птица Огонь Луна Тишина Рассвет Дождь",
        adjectives: "Синий Последний Тихий Белый Далёкий Золотой Странный Старый Вечный Холодный",
        artists: &["{g} {f}", "{g} {f}", "{n} и {n}", "{a} {n}", "Группа «{n}»", "{g}"],
        titles: &[
            "{n}",
            "{a} {n}",
            "Моя {n}",
            "{n} и {n}",
            "Где-то {n}",
            "{n} без конца",
            "Ещё одна {n}",
            "Песня про {g}",
        ],
    },
    Language {
        share: 2,
        given: "Αλίκη Γιώργος Δανάη Ελένη Ζωή Ηλίας Θάνος Ιάσων Κώστας Λυδία Μάνος Νεφέλη Όλγα Πέτρος Ρένα Στέλιος Φαίδρα",
        family: "Αγγέλου Βασιλείου Γαλανός Θαλασσινός Κυριακίδης Λιβαδάς Νικολάου Πελαγίας Ρούσσος Φωτεινός Χατζής",
        nouns: "Θάλασσα Νύχτα Καρδιά Ουρανός Καλοκαίρι Δρόμος Φεγγάρι Βροχή Ήλιος Άνεμος Όνειρο Λιμάνι Σιωπή Άστρο",
        adjectives: "Μπλε Παλιό Κρυφό Μεγάλο Χαμένο Ήσυχο Γλυκό",
        artists: &["{g} {f}", "{g} {f}", "Οι {n}", "{g}"],
        titles: &["{n}", "{a} {n}", "{n} και {n}", "Χωρίς {n}", "Μια {n} ακόμα"],
    },
    Language {
        share: 4,
        given: "あおい 健太 さくら 陽翔 ひなた 蓮 みゆき 大輔 ゆい 翔 まり 隼人 かえで 直樹",
        family: "青山 石川 上原 桜井 白石 月島 中野 西村 橋本 星野 松田 森川 雪村 若葉",
        nouns: "夜 空 海 風 花 星 夢 雨 光 街 手紙 窓 電車 夏 冬 約束 記憶 涙 花火 ソーダ メロディ ラジオ カメラ ダンス",
        adjectives: "青い 遠い 静かな 小さな 最後の 白い 忘れた 眠れない 透明な",
        artists: &["{f} {g}", "{f} {g}", "ザ・{n}", "{n}と{n}", "{a}{n}", "{n}少女", "{n}計画"],
        titles: &[
            "{n}",
            "{a}{n}",
            "{n}の{n}",
            "{n}と{n}",
            "君の{n}",
            "さよなら{n}",
            "{a}{n}、そして{n}",
            "{n}〜{n}〜",
            "「{n}」",
            "また明日、{n}",
        ],
    },
    Language {
        share: 3,
        given: "하늘 지우 서연 민준 도윤 예린 수아 시우 다인 태오 유나 준서 라온",
        family: "김 이 박 최 정 강 조 윤 장 임",
        nouns: "밤 별 바다 봄 꽃 비 바람 노래 편지 거리 기억 꿈 달빛 우산 계절 파도 여름 시간",
        adjectives: "푸른 작은 마지막 하얀 조용한 긴 따뜻한",
        artists: &["{f}{g}", "{f}{g}", "{n}소년", "{a} {n}", "{n}{n}"],
        titles: &["{n}", "{a} {n}", "너의 {n}", "{n} 그리고 {n}", "{n}처럼", "안녕, {n}", "{n}이 오면"],
    },
    Language {
        share: 2,
        given: "أمل باسل جمانة حسام دانة رامي زين سلمى طارق فرح كريم ليلى نور هادي ياسمين",
        family: "الأندلسي البحري الحلبي الدمشقي الشامي العمري الفاسي القدسي المصري النجار",
        nouns: "قلب ليل قمر بحر شمس حلم مطر طريق وردة نجمة صوت شتاء مدينة ذكرى",
        adjectives: "بعيد جميل قديم صغير أخير حزين",
        artists: &["{g} {f}", "{g} {f}", "{g}", "فرقة {n}"],
        titles: &["{n}", "{n} {a}", "يا {n}", "{n} و {n}", "بلا {n}", "حبيبي {n}"],
    },
    Language {
        share: 1,
        given: "אביגיל דניאל הילה יונתן נועה עומר שירה תמר",
        family: "אלון ברק גולן כרמל לביא נבו שגיא",
        nouns: "לילה ים שמש לב חלום גשם דרך ירח קול אור",
        adjectives: "כחול רחוק ישן קטן אחרון",
        artists: &["{g} {f}", "{g} {f}", "{g}"],
        titles: &["{n}", "{n} {a}", "{n} של {n}", "עוד {n}", "בלי {n}"],
    },
    Language {
        share: 1,
        given: "आरव दीया ईशान काव्या मीरा नील प्रिया रोहन सिया वेद",
        family: "कपूर जोशी मेहता नायर राव शर्मा सिंह",
        nouns: "दिल रात चाँद बारिश सपना रास्ता सागर धूप हवा तारा गीत यादें",
        adjectives: "नीला अधूरा पुराना मीठा आख़िरी",
        artists: &["{g} {f}", "{g} {f}", "{g}"],
        titles: &["{n}", "{a} {n}", "मेरा {n}", "{n} और {n}", "तेरे बिना {n}"],
    },
];

/// Genres and their share.
pub(super) const GENRES: [(&str, f64); 20] = [
    ("pop", 16.0),
    ("rock", 14.0),
    ("hip-hop", 12.0),
    ("electronic", 9.0),
    ("indie", 8.0),
    ("r&b", 6.0),
    ("country", 6.0),
    ("latin", 6.0),
    ("metal", 4.0),
    ("folk", 4.0),
    ("jazz", 3.0),
    ("classical", 3.0),
    ("soul", 2.0),
    ("punk", 2.0),
    ("reggae", 1.0),
    ("blues", 1.0),
    ("ambient", 1.0),
    ("soundtrack", 1.0),
    ("gospel", 0.5),
    ("holiday", 0.5),
];
