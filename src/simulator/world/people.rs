//! Names of listeners, and their browsers: written here, with weights that fall by rank.

use super::{FirstName, Gender, UserAgent};

const WOMEN: &str = "Emma Olivia Sophia Mia Ava Isabel Charlotte Amelia Harper Evelyn Abigail Emily Ella Elizabeth Camila Luna \
    Sofia Avery Mila Aria Scarlett Penelope Layla Chloe Victoria Madison Eleanor Grace Nora Riley Zoey Hannah Hazel Lily \
    Ellie Violet Lillian Zoe Stella Aurora Natalie Emilia Everly Leah Aubrey Willow Addison Lucy Audrey Bella Nova \
    Brooklyn Paisley Savannah Claire Skylar Isla Genesis Naomi Elena Caroline Eliana Anna Maya Valentina Ruby Kennedy \
    Ivy Ariana Aaliyah Cora Madelyn Alice Kinsley Hailey Gabriella Allison Gianna Serenity Samantha Sarah Autumn Quinn \
    Eva Piper Sophie Sadie Delilah Josephine Nevaeh Adeline Arya Emery Lydia Clara Vivian Madeline Peyton Julia Rylee \
    Brielle Reagan Natalia Jade Athena Maria Leilani Everleigh Liliana Melanie Mackenzie Hadley Raelynn Kaylee Rose \
    Arianna Isabelle Melody Eliza Lyla Katherine Aubree Adalynn Kylie Faith Mary Margaret Ximena Iris Alexandra Jasmine \
    Charlie Amaya Taylor Isabella Ashley Khloe Ryleigh Alexa Amara Valeria Andrea Parker Norah Eden Elliana Brianna \
    Emersyn Valerie Anastasia Eloise Emerson Cecilia Remi Josie Reese Bailey Lucia Adalyn Molly Ayla Sara Daisy London \
    Jordyn Esther Genevieve Harmony Annabelle Alyssa Ariel Aliyah Londyn Juliana Morgan Summer Juliette Trinity Callie \
    Sienna Blakely Alaia Kayla Teagan Alaina Brynlee Finley Catalina Sloane Rachel Lilly Ember Zora Wanda Yolanda";

const MEN: &str = "Liam Noah Oliver Elijah William James Benjamin Lucas Henry Alexander Mason Michael Ethan Daniel Jacob Logan \
    Jackson Levi Sebastian Mateo Jack Owen Theodore Aiden Samuel Joseph John David Wyatt Matthew Luke Asher Carter Julian \
    Grayson Leo Jayden Gabriel Isaac Lincoln Anthony Hudson Dylan Ezra Thomas Charles Christopher Jaxon Maverick Josiah \
    Isaiah Andrew Elias Joshua Nathan Caleb Ryan Adrian Miles Eli Nolan Christian Aaron Cameron Ezekiel Colton Luca \
    Landon Hunter Jonathan Santiago Axel Easton Cooper Jeremiah Angel Roman Connor Jameson Robert Greyson Jordan Ian \
    Carson Jaxson Leonardo Nicholas Dominic Austin Everett Brooks Xavier Kai Jose Parker Adam Jace Wesley Kayden Silas \
    Bennett Declan Waylon Weston Evan Emmett Micah Ryder Beau Damian Brayden Gael Rowan Harrison Bryson Sawyer Amir \
    Kingston Jason Giovanni Vincent Ayden Chase Myles Diego Nathaniel Legend Jonah River Tyler Cole Braxton George Milo \
    Zachary Ashton Luis Jasper Kaiden Adriel Gavin Bentley Calvin Zion Juan Maxwell Max Ryker Carlos Emmanuel Jayce \
    Lorenzo Ivan Jude August Kevin Malachi Elliott Rhett Archer Karter Arthur Luka Elliot Thiago Brandon Camden Justin \
    Jesus Maddox King Theo Enzo Matteo Emiliano Dean Hayden Finn Brody Antonio Abel Alex Tristan Graham Zayden Judah \
    Xander Miguel Atlas Messiah Barrett Tucker Timothy Alan Edward Leon Dawson Eric Ace Victor Abraham Nicolas Jesse";

const FAMILIES: &str = "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson \
    Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker \
    Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter \
    Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers \
    Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood \
    James Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez Powell \
    Jenkins Perry Russell Sullivan Bell Coleman Butler Henderson Barnes Gonzales Fisher Vasquez Simmons Romero Jordan \
    Patterson Alexander Hamilton Graham Reynolds Griffin Wallace Moreno West Cole Hayes Bryant Herrera Gibson Ellis Tran \
    Medina Aguilar Stevens Murray Ford Castro Marshall Owens Harrison Fernandez McDonald Woods Washington Kennedy Wells \
    Vargas Henry Chen Freeman Webb Tucker Guzman Burns Crawford Olson Simpson Porter Hunter Gordon Mendez Silva Shaw Snyder \
    Mason Dixon Munoz Hunt Hicks Holmes Palmer Wagner Black Robertson Boyd Rose Stone Salazar Fox Warren Mills Meyer Rice \
    Schmidt Garza Daniels Ferguson Nichols Stephens Soto Weaver Ryan Gardner Payne Grant Dunn Kelley Spencer Hawkins Arnold \
    Pierce Vazquez Hansen Peters Santos Hart Bradley Knight Elliott Cunningham Duncan Armstrong Hudson Carroll Lane Riley \
    Andrews Alvarado Ray Delgado Berry Perkins Hoffman Johnston Matthews Pena Richards Contreras Willis Carpenter Lawrence \
    Sandoval Guerrero George Chapman Rios Estrada Ortega Watkins Greene Nunez Wheeler Valdez Harper Burke Larson Santiago \
    Maldonado Morrison Franklin Carlson Austin Dominguez Carr Lawson Jacobs Obrien Lynch Singh Vega Bishop Montgomery Oliver \
    Jensen Harvey Williamson Gilbert Dean Sims Espinoza Howell Li Wong Reid Hanson Le McCoy Garrett Burton Fuller Wang Weber \
    Welch Rojas Lucas Marquez Fields Park Yang Little Banks Padilla Day Walsh Bowman Schultz Luna Fowler Mejia";

/// Share of men.
const MEN_SHARE: f64 = 0.5191;

pub(super) fn first_names() -> Vec<FirstName> {
    let named = |names: &'static str, gender, share: f64| {
        let names: Vec<_> = names.split_whitespace().collect();
        let total: f64 = (0..names.len()).map(by_rank).sum();
        let one = move |(rank, name): (usize, &str)| FirstName {
            name: name.to_owned(),
            gender,
            weight: share * by_rank(rank) / total,
        };
        names.into_iter().enumerate().map(one).collect::<Vec<_>>()
    };
    let mut names = named(WOMEN, Gender::Female, 1.0 - MEN_SHARE);
    names.extend(named(MEN, Gender::Male, MEN_SHARE));
    names
}

pub(super) fn last_names() -> Vec<(String, f64)> {
    FAMILIES.split_whitespace().enumerate().map(|(rank, name)| (name.to_owned(), by_rank(rank))).collect()
}

/// Names are less unequal than songs.
fn by_rank(rank: usize) -> f64 {
    1.0 / libm::sqrt(rank as f64 + 8.0)
}

/// Systems with their share in percent, and whether Eventsim's list would have them in quotes.
const SYSTEMS: [(&str, f64, Browsers); 9] = [
    ("Windows NT 10.0; Win64; x64", 30.0, Browsers::Desktop),
    ("Macintosh; Intel Mac OS X 10_15_7", 20.0, Browsers::Mac),
    ("X11; Linux x86_64", 5.0, Browsers::Desktop),
    ("X11; CrOS x86_64 14541.0.0", 2.0, Browsers::Desktop),
    ("iPhone; CPU iPhone OS 17_5 like Mac OS X", 16.0, Browsers::Ios),
    ("iPhone; CPU iPhone OS 16_7 like Mac OS X", 6.0, Browsers::Ios),
    ("iPad; CPU OS 17_5 like Mac OS X", 4.0, Browsers::Ios),
    ("Linux; Android 14; K", 12.0, Browsers::Android),
    ("Linux; Android 13; K", 5.0, Browsers::Android),
];

#[derive(Debug, Clone, Copy)]
enum Browsers {
    Desktop,
    Mac,
    Ios,
    Android,
}

pub(super) fn user_agents() -> Vec<UserAgent> {
    let mut agents = Vec::new();
    for (system, share, browsers) in SYSTEMS {
        let mut add = |part: f64, quoted: bool, rest: String| {
            let text = format!("Mozilla/5.0 ({system}{rest}");
            agents.push(UserAgent { text, quoted, weight: share * part });
        };
        for (version, part) in [(126, 0.35), (125, 0.2), (124, 0.1)] {
            let chrome = format!(") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0");
            match browsers {
                Browsers::Desktop | Browsers::Mac => add(part, true, format!("{chrome} Safari/537.36")),
                Browsers::Android => add(part, true, format!("{chrome} Mobile Safari/537.36")),
                Browsers::Ios => {}
            }
        }
        for (version, part) in [("17.5", 0.6), ("17.4", 0.25), ("16.6", 0.15)] {
            let part = if matches!(browsers, Browsers::Ios) { part } else { part * 0.3 };
            let safari = format!(") AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{version}");
            match browsers {
                Browsers::Ios => add(part, true, format!("{safari} Mobile/15E148 Safari/604.1")),
                Browsers::Mac => add(part, true, format!("{safari} Safari/605.1.15")),
                Browsers::Desktop | Browsers::Android => {}
            }
        }
        for (version, part) in [(127, 0.2), (126, 0.1), (115, 0.05)] {
            if matches!(browsers, Browsers::Desktop | Browsers::Mac) {
                add(part * 2.4, false, format!("; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"));
            }
        }
    }
    agents
}
